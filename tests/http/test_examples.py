"""The official examples, loaded as an operator does and read as their case manager does: they come back as they were."""

import gzip
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from recovery_api.commands.loading import Loading, Outcome, load_files
from recovery_api.demo.people import REALISTIC_PATIENTS
from recovery_api.demo.world import fixture
from recovery_api.fhir.json import Json, JsonObject, dump, parse
from recovery_api.store.visibility import SYSTEM
from tests.api import Api, serving
from tests.callers import RUTH, SAM
from tests.contract.oracle import client_of
from tests.databases import Databases
from tests.fhir.examples import SOURCES, examples, lines, name

REFUSED = {
    ("r4", "Observation/clinical-gender"): ("structure", "Observation.performer[0]"),  # refers to an Encounter, which performer may not
    ("r4", "Questionnaire/zika-virus-exposure-assessment"): ("txt-2", "Questionnaire.text.div"),  # the narrative is white space only
}
"""Examples that are not accepted: the rule of R4 that they break, and where."""

NOBODYS = {
    ("r4", "Device/example"), ("r4", "DiagnosticReport/gingival-mass"), ("r4", "Observation/5minute-apgar-score"),
    ("r4", "Observation/decimal"), ("r4", "Observation/vp-oyster"), ("r4", "Procedure/education"), ("r4", "QuestionnaireResponse/bb"),
    ("r4", "QuestionnaireResponse/ussg-fht-answers"), ("r4", "ServiceRequest/education"), ("r4", "ServiceRequest/myringotomy"),
    ("r4", "ServiceRequest/ob"), ("r4", "Task/fm-example1"), ("r4", "Task/fm-example3"), ("r4", "Task/fm-example4"),
}  # fmt: skip
"""Examples that no Patient of this server stands behind (a contained one, one elsewhere, a name only): no case manager is theirs."""

LOCAL = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(/_history/[A-Za-z0-9\-.]{1,64})?")
PATIENT = re.compile(rb'"Patient/([A-Za-z0-9\-.]{1,64})"')
_exact = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


@dataclass(frozen=True)
class Loaded:
    """A source, loaded with a care team; a Patient whom the carried half of the examples only names is there as a bare one."""

    api: Api
    source: str
    outcome: Outcome
    resources: list[JsonObject]


@pytest.fixture(scope="module", params=SOURCES)
async def loaded(
    request: pytest.FixtureRequest, databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Loaded]:
    source, folder, url = request.param, tmp_path_factory.mktemp("examples"), databases.clone(migrated_template)
    async with serving(url, folder, fixture()) as api:
        types = api.running.server.interactions.keys() - {"AuditEvent"}  # nobody brings in what the server alone tells
        served = [each for each in examples(source) if each["resourceType"] in types]
        named = {found.decode() for line in lines(source) for found in PATIENT.findall(line)}
        bare = named - {each["id"] for each in served if each["resourceType"] == "Patient"}
        file = folder / "examples.ndjson"
        file.write_bytes(b"\n".join(map(dump, [*served, *({"resourceType": "Patient", "id": id} for id in sorted(bare))])))
        team = {"companion": "maya", "case-manager": "ruth"}
        outcome = await load_files(api.running.server, Loading([file], folder / "rejects.ndjson", team), Console(quiet=True))
        yield Loaded(api, source, outcome, served)
    databases.drop(url)


def content(resource: JsonObject) -> bytes:
    """All of it but `meta`, digit by digit, in one order."""
    return _exact({name: value for name, value in resource.items() if name != "meta"})


async def test_the_examples_are_accepted_save_those_that_break_r4s_own_rules(loaded: Loaded) -> None:
    refused = {name: rule for (source, name), rule in REFUSED.items() if source == loaded.source}
    rejects = loaded.outcome.rejects.path
    said = [parse(line) for line in rejects.read_bytes().splitlines()] if rejects.exists() else []
    issues = {each["resource"]: each["issue"][0] for each in said}
    assert {name: (one.get("details", one).get("text", one["code"]), one["expression"][0]) for name, one in issues.items()} == refused
    assert loaded.outcome.report.rejected == len(refused)
    assert loaded.outcome.report.created > len(loaded.resources) - len(refused) > 90


def local_references(value: Json) -> Counter[str]:
    """How often each relative literal reference stands in a resource, without version."""
    if isinstance(value, list):
        return sum((local_references(each) for each in value), Counter[str]())
    if not isinstance(value, dict):
        return Counter()
    reference = value.get("reference")
    here = Counter(["/".join(reference.split("/")[:2])] if isinstance(reference, str) and LOCAL.fullmatch(reference) else ())
    return sum((local_references(each) for each in value.values()), here)


def is_part(part: Json, whole: Json) -> bool:
    """Whether all that is in the part is in the whole, at the same place and in the same order."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_part(value, whole[name]) for name, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        rest = iter(whole)
        return all(any(is_part(each, other) for other in rest) for each in part)
    return _exact(part) == _exact(whole)


async def test_what_was_accepted_comes_back_unchanged_to_a_case_manager_of_theirs(loaded: Loaded) -> None:
    """Save for references that lead nowhere for them, and what can't be without these. The Provenance of what the carried half of the
    examples does not hold is the auditor's alone."""
    ruth, sam = loaded.api.as_(RUTH), loaded.api.as_(SAM)
    changed: list[str] = []
    for resource in loaded.resources:
        if {(loaded.source, name(resource))} & (REFUSED.keys() | NOBODYS):
            continue
        reader = sam if resource["resourceType"] == "Provenance" else ruth
        answer = await reader.get(name(resource))
        if answer.status == 200 and content(answer.json) == content(resource):
            continue
        gone = local_references(resource) - local_references(answer.json)
        leads_nowhere = [place for place in gone if (await reader.get(place)).status != 200]
        said = {name: value for name, value in answer.json.items() if name != "meta"}
        if answer.status != 200 or not leads_nowhere or not is_part(said, resource):
            changed.append(f"{name(resource)}: {answer.status}")
    assert changed == [], "; ".join(changed)


async def test_what_is_stored_is_what_was_sent(loaded: Loaded) -> None:
    async with loaded.api.running.server.store.reader(SYSTEM) as reader:
        for resource in loaded.resources:
            if (loaded.source, name(resource)) not in REFUSED:
                record = await reader.read(resource["resourceType"], resource["id"])
                assert record is not None
                assert content(parse(record.body or b"")) == content(resource), name(resource)


async def test_realistic_patients_come_back_unchanged_too(database_url: str, tmp_path: Path) -> None:
    """Every tenth of what is carried."""
    carried = [parse(line) for line in gzip.decompress(REALISTIC_PATIENTS.read_bytes()).splitlines()]
    async with serving(database_url, tmp_path, fixture()) as api:
        loading = Loading([REALISTIC_PATIENTS], tmp_path / "rejects.ndjson", {"companion": "maya", "case-manager": "ruth"})
        outcome = await load_files(api.running.server, loading, Console(quiet=True))
        teams_and_episodes = 2 * sum(each["resourceType"] == "Patient" for each in carried)
        assert (outcome.report.rejected, outcome.report.created) == (0, len(carried) + teams_and_episodes)
        ruth = api.as_(RUTH)
        for resource in carried[::10]:
            answer = await ruth.get(name(resource))
            assert (answer.status, content(answer.json)) == (200, content(resource))


async def test_what_has_no_client_here_is_kept_unchanged_and_is_nobodys(loaded: Loaded) -> None:
    ruth = loaded.api.as_(RUTH)
    for resource in loaded.resources:
        if (loaded.source, name(resource)) in NOBODYS:
            assert client_of(resource) == ""
            assert (await ruth.get(name(resource))).status == 404
            async with loaded.api.running.server.store.reader(SYSTEM) as reader:
                record = await reader.read(resource["resourceType"], resource["id"])
            assert record is not None
            assert content(parse(record.body or b"")) == content(resource)
