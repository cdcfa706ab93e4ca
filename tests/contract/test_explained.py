"""$explain-access decides what its actor really finds: for every caller, client, type and set of labels of the worlds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import pytest

from recovery_api.demo.world import fixture
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.labels import codings
from recovery_api.store.visibility import SYSTEM
from tests.callers import CALLERS, SAM, WIDE_CALLERS, Caller
from tests.contract.direct import Direct
from tests.wider import wide
from tests.world import T0

Group: TypeAlias = tuple[str, str, int]
"""Client, type and labels (bits)."""


def actors(callers: Mapping[str, Caller]) -> dict[str, Caller]:
    """Those who may be asked about, by the reference by which they are."""
    found: dict[str, Caller] = {}
    for caller in callers.values():
        if caller.role == "ehr":
            found[f"Organization/{caller.organization}"] = caller
        elif caller.role not in {"auditor", "admin", "referrer"} and not str(caller.fhir_user).startswith("Patient/"):
            found[str(caller.fhir_user)] = caller
    return found


async def groups(api: Direct, world: list[JsonObject]) -> dict[Group, set[str]]:
    """The ids of all that belongs to a client, is of no access class and in a state to be seen outside."""
    server = api.api.running.server
    found: dict[Group, set[str]] = defaultdict(set)
    async with server.store.reader(SYSTEM) as reader:
        for each in world:
            type = each["resourceType"]
            if type == "Patient" or type in server.matrix.client:
                record = await reader.read(type, each["id"])
                assert record
                if record.client and record.released and not record.kind:
                    found[record.client, type, record.labels].add(record.id)
    return found


def by_content(world: list[JsonObject]) -> set[str]:
    """The clients with a Consent that speaks of codes or dates, by which resources of one group differ."""
    said = [(each["patient"]["reference"], keys(each["provision"])) for each in world if each["resourceType"] == "Consent"]
    return {client.removeprefix("Patient/") for client, named in said if {"code", "dataPeriod"} & set(named)}


def keys(provision: Json) -> Iterator[str]:
    yield from provision
    for nested in provision.get("provision", ()):
        yield from keys(nested)


async def explained(api: Direct, reference: str, caller: Caller, group: Group) -> tuple[str, dict[str, str]]:
    client, type, labels = group
    said: list[JsonObject] = [{"name": "actor", "valueReference": {"reference": reference}}, {"name": "resourceType", "valueCode": type}]
    said += [{"name": "labels", "valueCoding": coding} for coding in codings(labels)]
    said += [{"name": "purpose", "valueCode": caller.purpose}] if caller.purpose else []
    body = {"resourceType": "Parameters", "parameter": said}
    answer = await api.as_(SAM).request("POST", f"Patient/{client}/$explain-access", body)
    assert answer.status == 200, answer.body
    decision, *rules = answer.json["parameter"]
    return decision["valueCode"], {rule["part"][0]["valueString"]: rule["part"][1]["valueCode"] for rule in rules}


async def found_by(api: Direct, caller: Caller, type: str) -> set[str]:
    answer = await api.as_(caller).request("GET", f"{type}?_count=1000")
    assert answer.status in {200, 403}, answer.body
    return answer.ids if answer.status == 200 else set()


async def mismatches(api: Direct, world: list[JsonObject], callers: Mapping[str, Caller]) -> list[str]:
    """Where the decision is not what the actor finds. What is open only to whom it names opens some of a group."""
    told: list[str] = []
    unjudged = by_content(world)
    judged = {group: ids for group, ids in (await groups(api, world)).items() if group[0] not in unjudged}
    assert len(judged) > 50
    for reference, caller in actors(callers).items():
        seen = {type: await found_by(api, caller, type) for type in sorted({type for _, type, _ in judged})}
        for group, ids in judged.items():
            decision, rules = await explained(api, reference, caller, group)
            found = ids & seen[group[1]]
            fits = "named" in rules or found == (ids if decision == "permit" else set())
            if decision == "deny" and "deny" not in rules.values():
                told.append(f"{reference} {group}: denied without a reason")
            if not fits or (found and decision == "deny" and "named" not in rules):
                told.append(f"{reference} {group}: {decision} by {rules}, found {sorted(found)} of {sorted(ids)}")
    return told


async def test_in_the_fixture_the_decision_is_what_everybody_finds(fixture_api: Direct) -> None:
    told = await mismatches(fixture_api, fixture(T0), CALLERS)
    assert not told, "\n".join(told)


@pytest.mark.slow
async def test_in_the_wide_world_the_decision_is_what_everybody_finds(wide_api: Direct) -> None:
    told = await mismatches(wide_api, wide().resources, WIDE_CALLERS)
    assert not told, "\n".join(told)
