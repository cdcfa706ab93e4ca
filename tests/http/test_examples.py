"""The official examples, loaded as an operator does and read as their case manager does: they come back as they were."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
from rich.console import Console

from recovery_api.commands.loading import Loading, Outcome, load_files
from recovery_api.demo.world import fixture
from recovery_api.fhir.json import JsonObject, dump, parse
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
        served = [each for each in examples(source) if each["resourceType"] in api.running.server.interactions]
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


async def test_what_was_accepted_comes_back_unchanged_to_a_case_manager_of_theirs(loaded: Loaded) -> None:
    """AuditEvents are the auditor's alone, and so is the Provenance of what the carried half of the examples does not hold."""
    ruth, sam = loaded.api.as_(RUTH), loaded.api.as_(SAM)
    changed: list[str] = []
    for resource in loaded.resources:
        if {(loaded.source, name(resource))} & (REFUSED.keys() | NOBODYS):
            continue
        answer = await (sam if resource["resourceType"] in {"AuditEvent", "Provenance"} else ruth).get(name(resource))
        if answer.status != 200 or content(answer.json) != content(resource):
            changed.append(f"{name(resource)}: {answer.status}")
    assert changed == [], "; ".join(changed)


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
