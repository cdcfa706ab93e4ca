"""The definitions, the code and the access policy say the same: there is no orphan, and nothing is promised that is not done."""
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery_api.fhir import invariants, narrative, profile
from recovery_api.fhir.capability import capability, definition, interactions, operation_types, operations
from recovery_api.fhir.conformance import structure
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.json import JsonObject, parse
from recovery_api.fhir.search.parameters import ParameterTable, shipped
from recovery_api.fhir.shipped import published
from recovery_api.fhir.shipped import shipped as of_type
from recovery_api.operations import OPERATIONS
from recovery_api.policy import matrix
from recovery_api.policy.decide import LETTER
from recovery_api.policy.writes import RULES

ROOT = Path(__file__).parents[2]
DEFINITIONS = ROOT / "src" / "recovery_api" / "definitions"
SERVED = interactions(definition())
TABLE = ParameterTable(SERVED)

US_CORE = "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"
BULK_DATA = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"


@pytest.fixture(scope="module")
def statement() -> JsonObject:
    """As it is served."""
    return parse(json.dumps(capability(definition(), TABLE, "https://api.example.org/fhir", operations())).encode())


def stored(statement: JsonObject) -> list[JsonObject]:
    """The entries of the types that are stored here, not only published."""
    return [entry for entry in statement["rest"][0]["resource"] if entry["type"] in SERVED]


def problems(resource: JsonObject) -> list[object]:
    type = resource["resourceType"]
    return [*profile.check(resource, type), *narrative.check(resource), *invariants.check(resource, type)]


def test_every_resource_among_the_definitions_is_valid_and_named_by_its_file() -> None:
    for path in sorted(DEFINITIONS.glob("*-*.json")):
        resource = parse(path.read_bytes())
        if resource["resourceType"] != "SubscriptionTopic":  # a type of R5, compiled at start
            assert problems(resource) == [], path.name
        assert path.stem == f"{resource['resourceType']}-{resource['id']}"
        assert resource["url"].startswith("https://recovery-api.example.org/fhir/")


def test_every_file_among_the_definitions_is_used() -> None:
    others = (*shipped(), *of_type("PlanDefinition"), *of_type("SubscriptionTopic"))
    known = {definition()["id"]} | {one["id"] for one in (*published(), *others)}
    sources = "".join(path.read_text() for folder in ("src", "scripts") for path in (ROOT / folder).rglob("*.py"))
    for path in (each for each in DEFINITIONS.rglob("*") if each.suffix in {".json", ".toml"}):
        named = path.name in sources or f'"{path.stem}"' in sources
        assert named or path.stem.partition("-")[2] in known, path.name


def test_every_operation_has_a_definition_and_every_definition_an_operation(statement: JsonObject) -> None:
    assert sorted(OPERATIONS) == sorted(one["id"] for one in operations())
    rest = statement["rest"][0]
    for one in operations():
        said = {"name": one["code"], "definition": one.get("base", one["url"])}
        of_types = [entry["type"] for entry in rest["resource"] if said in entry.get("operation", ())]
        assert of_types == operation_types(one, [entry["type"] for entry in stored(statement)])
        assert (said in rest.get("operation", ())) == one["system"]


def test_each_type_has_the_interactions_that_some_role_may_ask_for_and_no_other() -> None:
    policy = matrix.load(SERVED, RULES)
    for type, codes in SERVED.items():
        letters = {letter for (_, named), row in policy.access.items() if named == type for letter in row.may}
        assert codes == {code for code, letter in LETTER.items() if letter in letters}, type


def test_conditional_flags_and_versions_say_what_is_done(statement: JsonObject) -> None:
    for entry in stored(statement):
        codes = SERVED[entry["type"]]
        assert entry["conditionalCreate"] == ("create" in codes), entry["type"]
        assert entry["conditionalUpdate"] == ("update" in codes), entry["type"]
        assert entry["conditionalDelete"] == ("single" if "delete" in codes else "not-supported"), entry["type"]
        assert (entry["conditionalRead"], entry["updateCreate"], entry["readHistory"]) == ("full-support", False, True)


def test_the_statement_as_it_is_served_is_valid(statement: JsonObject) -> None:
    assert problems(statement) == []
    assert statement["implementation"]["url"] == "https://api.example.org/fhir"
    assert statement["instantiates"] == [US_CORE, BULK_DATA]


def test_every_profile_of_a_served_type_is_supported(statement: JsonObject) -> None:
    said = {url for entry in statement["rest"][0]["resource"] for url in entry.get("supportedProfile", ())}
    facts = definitions()
    theirs = {url for url in facts.profile_urls if "/us/core/" in url or "/uv/subscriptions-backport/" in url}
    profiles = {url: structure(url) for url in (*theirs, *(one["url"] for one in of_type("StructureDefinition")))}
    assert said == {url for url, one in profiles.items() if one is not None and one["type"] in SERVED}


def test_every_search_parameter_and_include_is_told(statement: JsonObject) -> None:
    for entry in stored(statement):
        known = {code: one for code, one in TABLE[entry["type"]].items() if not one.internal}
        assert {one["name"] for one in entry["searchParam"]} == set(known)
        references = {f"{entry['type']}:{code}" for code, one in known.items() if one.kind == "reference"}
        assert set(entry["searchInclude"]) == {"*"} | references
        for include in set(entry["searchRevInclude"]) - {"*"}:
            source, code = include.split(":")
            found = TABLE.find(source, code)
            assert found is not None
            assert not found.targets or entry["type"] in found.targets


def test_every_code_of_loinc_has_its_check_digit() -> None:
    """A code that is said from memory, or mistyped, seldom has it."""
    codes = [code for path in DEFINITIONS.glob("*-*.json") for code in loinc_codes(json.loads(path.read_bytes()))]
    assert len(codes) > 150
    assert [code for code in codes if code[-1] != check_digit(code)] == []
    assert [code for code in ("LA6572-9", "44260-9") if code[-1] == check_digit(code)] == []


def loinc_codes(value: Any) -> Iterator[str]:
    """The codes of LOINC's system, wherever they stand: of questions, of answers (LA…)."""
    if isinstance(value, dict):
        if value.get("system") == "http://loinc.org":
            yield from (each["code"] for each in (value, *value.get("concept", ())) if "code" in each)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from loinc_codes(each)


def check_digit(code: str) -> str:
    """Mod 10 of the number (LOINC Users' Guide); the letters of an answer's code add 5, as in the answer lists that LOINC publishes."""
    letters, number = code[:-2].startswith("LA"), code.removeprefix("LA").partition("-")[0]
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(number)))
    return str((-sum(each // 10 + each % 10 for each in doubled) + (5 if letters else 0)) % 10)
