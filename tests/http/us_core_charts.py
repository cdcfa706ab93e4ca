"""Charts in which every search of US Core finds something: the fixture world, its examples, realistic patients, one chart of ours."""

import gzip
from dataclasses import dataclass

from recovery_api.demo.people import REALISTIC_PATIENTS
from recovery_api.domain.codes import SCT, concept, ref
from recovery_api.fhir.json import JsonObject, parse
from tests.api import Client
from tests.contract.oracle import client_of
from tests.fhir.examples import examples
from tests.http.us_core_chart import chart, with_needs
from tests.world import Story

SOURCES = ("us-core-7.0.0", "us-core-8.0.0", "us-core-6.1.0")


@dataclass(frozen=True)
class Charts:
    """Ruth, and by type what she may read: all of it has her as case manager."""

    ruth: Client
    resources: dict[str, list[JsonObject]]


def everything() -> list[JsonObject]:
    """The fixture world, what the examples and the realistic patients add to it, a care team for each client of theirs."""
    story = Story()
    _what_no_example_has(story)
    known = {(each["resourceType"], each["id"]) for each in story.resources}
    realistic = [parse(line) for line in gzip.decompress(REALISTIC_PATIENTS.read_bytes()).splitlines()]
    for each in [*(one for source in SOURCES for one in examples(source)), *realistic]:
        key = each["resourceType"], each.get("id", "")
        if each["resourceType"] != "Bundle" and key not in known:
            known.add(key)
            story.resources.append(each)
    for client in sorted({client_of(each).partition("/")[2] for each in story.resources} - {""}):
        if ("Patient", client) not in known:
            story.add({"resourceType": "Patient", "id": client})
        if ("CareTeam", f"ct-{client}") not in known:
            story.care_team(client, ["maya", "ruth"], story.day(100))
    return story.resources


def _what_no_example_has(story: Story) -> None:
    for client in ("ben", "dan"):  # Ruth is to read all
        story.find(f"CareTeam/ct-{client}")["participant"].append(story.participant("ruth", "case manager", story.day(100)))
    story.find("PractitionerRole/chen")["specialty"] = [concept(("http://nucc.org/provider-taxonomy", "101YM0800X"))]
    story.find("Encounter/e-ana-1")["identifier"] = [{"system": "urn:sessions", "value": "1"}]
    watch = {"type": concept((SCT, "466093008")), "status": "active", "patient": ref("Patient/ana")}
    story.add({"resourceType": "Device", "id": "watch"} | watch)
    for each in chart():
        story.add(each)
    with_needs(story.find("Patient/ana"))
