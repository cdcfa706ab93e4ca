"""Emergency access: who gets it, what it opens, until when, and what it leaves behind (domain.md 3.5, scenario 21)."""
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Response, serving
from tests.audit_log import beside, records, since, tamper
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, NOOR, OMAR, PATEL, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.databases import Databases
from tests.http.resources import CANON, bundle
from tests.world import Story

PATH = "Patient/{}/$break-glass"
GIVEN = {
    "purposeOfUse": "ETREAT",
    "reason": "Unconscious in the emergency department.",
    "emergencyNature": "Overdose",
    "recipientFacility": "Riverbend emergency department",
}


def asked(**values: str) -> JsonObject:
    said = {name: value for name, value in (GIVEN | values).items() if value}
    return {
        "resourceType": "Parameters",
        "parameter": [{"name": name, ("valueCode" if name == "purposeOfUse" else "valueString"): value} for name, value in said.items()],
    }


def named(answer: Response) -> dict[str, Any]:
    return {one["name"]: next(value for name, value in one.items() if name != "name") for one in answer.json["parameter"]}


async def broken(api: Api, client: str = "ana", caller: Caller = NOOR) -> dict[str, Any]:
    answer = await api.as_(caller).post(PATH.format(client), asked())
    assert answer.status == 200, answer.body
    return named(answer)


async def test_medical_personnel_read_the_client_for_an_hour_sud_among_it(api: Api) -> None:
    noor = api.as_(NOOR)
    assert (await noor.get("Patient/ana")).status == 404
    given = await broken(api)
    assert given["expires"] == "2026-11-10T13:00:00.000000Z"
    opened = ["Patient/ana", "Condition/cond-ana-aud", "DocumentReference/d-ana-1", "Binary/b-ana-1", "Observation/o-ana-craving"]
    assert {path: (await noor.get(path)).status for path in opened} == dict.fromkeys(opened, 200)
    assert (await noor.get("Condition", patient="ana")).ids == {"cond-ana-aud", "cond-ana-ptsd"}
    everything = await noor.get("Patient/ana/$everything", _count="100")
    assert everything.matches[0]["id"] == "ana"
    assert {"cond-ana-aud", "d-ana-1", "e-ana-2"} <= everything.ids


async def test_it_ends_by_the_clock_to_the_microsecond(api: Api) -> None:
    noor = api.as_(NOOR)
    await broken(api)
    api.clock.move(seconds=3599.999999)
    assert (await noor.get("Patient/ana")).status == 200
    api.clock.move(seconds=0.000001)
    assert (await noor.get("Patient/ana")).status == 404
    assert (await noor.get("Condition", patient="ana")).ids == set()
    assert (await noor.get("Patient/ana/$everything")).status == 404


async def test_it_lasts_as_long_as_the_setting_says(databases: Databases, world_template: str, tmp_path: Path) -> None:
    url = databases.clone(world_template)
    async with serving(url, tmp_path, EMERGENCY_ACCESS_TTL="60") as short:
        assert (await broken(short))["expires"] == "2026-11-10T12:01:00.000000Z"
        short.clock.move(seconds=60)
        assert (await short.as_(NOOR).get("Patient/ana")).status == 404
    databases.drop(url)


async def test_it_opens_one_client_to_one_caller_for_their_organization(api: Api) -> None:
    await broken(api)
    assert (await api.as_(NOOR).get("Patient/eve")).status == 404
    assert (await api.as_(PATEL).get("Patient/ana")).status == 404
    assert (await api.as_(replace(NOOR, organization="org-lakeside")).get("Patient/ana")).status == 404
    assert (await api.as_(replace(CHEN, name="other", fhir_user="Practitioner/patel")).get("Patient/ana")).status == 404


WITHOUT_CLAIM = replace(NOOR, medical_personnel=False)


@pytest.mark.parametrize(
    "caller", [MAYA, LEO, RUTH, OMAR, CHEN, PATEL, SYS_RIVERBEND, SYS_LAKESIDE, APP_ANA, SAM, KIM, WITHOUT_CLAIM], ids=lambda one: one.name
)
async def test_everybody_else_is_refused_before_the_patient_is_looked_up(shared: Api, caller: Caller) -> None:
    await shared.as_(caller).get("Organization/org-cir")
    with shared.statements() as statements:
        answers = [await shared.as_(caller).post(PATH.format(id), asked()) for id in ("dan", "ana", "absent")]
    assert [answer.status for answer in answers] == [403] * 3
    assert len({answer.body for answer in answers}) == 1
    assert beside(statements) == []


async def test_the_claim_opens_nothing_to_another_role(shared: Api) -> None:
    for caller in (MAYA, RUTH, SYS_RIVERBEND, SAM):
        assert (await shared.as_(replace(caller, medical_personnel=True)).post(PATH.format("dan"), asked())).status == 403


async def test_an_unknown_patient_is_not_found_and_nothing_is_stored(api: Api) -> None:
    assert (await api.as_(NOOR).post(PATH.format("absent"), asked())).status == 404
    assert (await api.as_(SAM).get("Task")).ids == set()


@pytest.mark.parametrize("name", sorted(GIVEN))
async def test_every_parameter_is_needed(shared: Api, name: str) -> None:
    answer = await shared.as_(NOOR).post(PATH.format("ben"), asked(**{name: ""}))
    assert (answer.status, answer.issue) == (400, ("error", "required"))
    assert name in answer.json["issue"][0]["diagnostics"]
    assert (await shared.as_(NOOR).get("Patient/ben")).status == 404


async def test_the_purpose_is_an_emergency(shared: Api) -> None:
    assert (await shared.as_(NOOR).post(PATH.format("ben"), asked(purposeOfUse="BTG"))).status == 200
    answer = await shared.as_(NOOR).post(PATH.format("eve"), asked(purposeOfUse="TREAT"))
    assert (answer.status, answer.places) == (400, {"Parameters.parameter[0]"})
    assert (await shared.as_(NOOR).get("Patient/eve")).status == 404


async def test_it_is_asked_for_by_post_only(shared: Api) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        assert (await shared.as_(NOOR).request(method, PATH.format("ana"))).status == 405


async def test_it_is_for_reading_nothing_can_be_written(api: Api) -> None:
    noor = api.as_(NOOR)
    await broken(api)
    about = {"reference": "Patient/ana"}
    request = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": about} | {
        "requester": {"reference": "Practitioner/noor"}
    }
    message = {"resourceType": "Communication", "status": "completed", "subject": about, "sender": {"reference": "Practitioner/noor"}}
    observation = (await noor.get("Observation/o-ana-mood")).json
    answers = [
        await noor.put("Observation/o-ana-mood", observation),
        await noor.put("Patient/ana", (await noor.get("Patient/ana")).json),
        await noor.delete("Observation/o-ana-mood"),
        await noor.post("ServiceRequest", request),
        await noor.post("Communication", message),
        await noor.post("", bundle("transaction", {"resource": request, "request": {"method": "POST", "url": "ServiceRequest"}})),
    ]
    assert [answer.status for answer in answers] == [403, 403, 403, 422, 422, 422]


async def test_threads_and_referrals_stay_closed(api: Api) -> None:
    await broken(api)
    noor = api.as_(NOOR)
    for type in ("Task", "ServiceRequest", "Communication", "Consent"):
        assert (await noor.get(type, _count="100")).ids == set()


async def test_the_access_is_reviewed_by_the_end_of_the_next_business_day(api: Api) -> None:
    given = await broken(api)
    task = next(iter((await api.as_(SAM).get("Task")).matches))
    assert (task["code"]["coding"][0]["system"], task["code"]["coding"][0]["code"]) == (f"{CANON}/CodeSystem/task-code", "emergency-review")
    assert (task["status"], task["for"]) == ("requested", {"reference": "Patient/ana"})
    assert task["restriction"]["period"]["end"] == "2026-11-11T17:00:00+00:00"
    told = {one["type"]["text"]: one.get("valueString", one.get("valueReference", {}).get("reference")) for one in task["input"]}
    assert told == GIVEN | {"caller": "Practitioner/noor", "accessId": given["accessId"]}
    assert (await api.as_(RUTH).get(f"Task/{task['id']}")).status == 200
    for other in (MAYA, OMAR, CHEN, NOOR, APP_ANA, KIM):
        assert (await api.as_(other).get(f"Task/{task['id']}")).status in {403, 404}


async def test_the_review_is_due_in_the_agencys_own_time_and_not_on_a_weekend(
    databases: Databases, world_template: str, tmp_path: Path
) -> None:
    url = databases.clone(world_template)
    async with serving(url, tmp_path, TIME_ZONE="America/New_York") as there:
        there.clock.set(datetime(2026, 11, 14, 3, 0, tzinfo=UTC))  # Friday evening in New York
        await broken(there)
        task = next(iter((await there.as_(SAM).get("Task")).matches))
        assert task["restriction"]["period"]["end"] == "2026-11-16T17:00:00-05:00"
    databases.drop(url)


@pytest.fixture
async def kept_apart(databases: Databases, migrated_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """A world in which ben's consent is denied to riverbend, and a counselling note and a boundary event stand beside his record."""
    story = Story()
    story.counseling_note("d-kept-apart", "ben", "omar")
    story.boundary_event("o-boundary", "leo", "omar")
    story.consent_of("dissent", "ben")
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, [*story.resources]) as server:
        yield server
    databases.drop(url)


async def test_it_overrides_a_refusal_of_consent_but_never_opens_what_is_kept_apart(kept_apart: Api) -> None:
    noor, chen = kept_apart.as_(NOOR), kept_apart.as_(CHEN)
    assert (await chen.get("Patient/ben")).status == 404
    await broken(kept_apart, "ben")
    assert (await noor.get("Patient/ben")).status == 200
    assert (await noor.get("DocumentReference", patient="ben")).ids == {"d-ben-1"}
    assert (await chen.get("Patient/ben")).status == 404
    for path in ("DocumentReference/d-kept-apart", "Binary/b-kept-apart", "Observation/o-boundary", "Task/task-checkin-maya"):
        assert (await noor.get(path)).status == 404
    everything = await noor.get("Patient/ben/$everything", _count="200")
    assert not {"d-kept-apart", "o-boundary"} & everything.ids


async def test_what_is_not_released_stays_closed(api: Api) -> None:
    await broken(api)
    noor = api.as_(NOOR)
    for path in ("DocumentReference/d-ana-2", "Observation/o-ana-2-mood", "Binary/b-ana-2"):
        assert (await noor.get(path)).status == 404


async def test_history_by_granular_scopes_is_open_while_it_lasts(api: Api) -> None:
    await broken(api)
    noor = api.as_(NOOR, scopes="recovery/treatment-team user/Observation.r?category=companion-session")
    assert (await noor.get("Observation/o-ana-mood/_history/1")).status == 200


async def test_its_start_is_recorded_once_with_the_review_that_it_made(api: Api) -> None:
    before = await records(api)
    await broken(api)
    [facts] = await since(api, before)
    [task] = (await api.as_(SAM).get("Task")).matches
    assert (facts.kind, facts.action, facts.operation, facts.permitted) == ("emergency", "start", "break-glass", True)
    assert (facts.holder, facts.organization, facts.role) == ("Practitioner/noor", "Organization/org-riverbend", "treatment-team")
    assert (facts.patients, facts.data) == (("ana",), (f"Task/{task['id']}/_history/1",))
    assert not [word for word in (*GIVEN.values(), "Overdose") if word in str(facts)]


async def test_who_is_refused_is_recorded_once(shared: Api) -> None:
    for caller, id, given, status in (
        (CHEN, "dan", asked(), 403), (NOOR, "absent", asked(), 404), (NOOR, "dan", asked(reason=""), 400), (KIM, "dan", asked(), 403),
    ):  # fmt: skip
        before = await records(shared)
        assert (await shared.as_(caller).post(PATH.format(id), given)).status == status
        [facts] = await since(shared, before)
        assert (facts.kind, facts.operation, facts.status, facts.permitted) == ("rest", "break-glass", status, False)
        assert (facts.holder, facts.data, facts.patients) == (caller.fhir_user, (f"Patient/{id}",), ())


async def test_without_its_record_nothing_is_opened(api: Api) -> None:
    noor = api.as_(NOOR)
    await tamper(api, "ALTER TABLE audit_record RENAME TO away")
    assert (await noor.post(PATH.format("ana"), asked())).status == 503
    await tamper(api, "ALTER TABLE away RENAME TO audit_record")
    assert (await noor.get("Patient/ana")).status == 404
    assert (await api.as_(SAM).get("Task")).ids == set()
