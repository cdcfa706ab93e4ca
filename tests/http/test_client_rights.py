"""What clients may ask for about their record, and who signs for a minor (45 CFR 164.522, 164.526; 42 CFR 2.14, 2.26)."""
from collections.abc import AsyncIterator
from typing import Any

import pytest

from recovery_api.domain.codes import concept, local, ref
from recovery_api.domain.requests import MOVES
from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, serving
from tests.callers import APP_ANA, APP_BEN, MAYA, OMAR, REP_DAN, RUTH, SISTER_ANA, related
from tests.databases import Databases
from tests.http.referring import status
from tests.wider import wide

STATES = ("draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed", "completed")
NEEDED: dict[str, JsonObject] = {
    "rejected": {"statusReason": {"text": "The note says what was said."}},
    "on-hold": {"statusReason": {"text": "The companion who wrote it is away."}},
    "completed": {"output": [{"type": {"text": "done"}, "valueString": "The note was amended."}]},
}
WAYS: dict[str, tuple[str, ...]] = {
    "requested": (), "accepted": ("accepted",), "rejected": ("rejected",), "on-hold": ("on-hold",), "cancelled": ("cancelled",),
    "completed": ("accepted", "completed"),
}  # fmt: skip


def request(code: str = "amendment-request", client: str = "ana", **more: Any) -> JsonObject:
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "proposal",
        "code": concept(local("task-code", code)),
        "for": ref(f"Patient/{client}"),
        "requester": ref(f"Patient/{client}"),
        "description": "On the 5th I was at home, not in the park.",
    } | more


async def asked(client: Client, **more: Any) -> JsonObject:
    answer = await client.post("Task", request(**more))
    assert answer.status == 201, answer.body
    return answer.json


@pytest.mark.parametrize(
    ("code", "end"), [("amendment-request", "2027-01-09T12:00:00+00:00"), ("restriction-request", "2026-12-10T12:00:00+00:00")]
)
async def test_a_client_asks_and_the_server_says_who_decides_and_by_when(shared: Api, code: str, end: str) -> None:
    ana, ruth = shared.as_(APP_ANA), shared.as_(RUTH)
    wanted = {"restriction": {"period": {"end": "2030-01-01"}}, "owner": ref("Practitioner/maya"), "authoredOn": "2020-01-01"}
    task = await asked(ana, code=code, **wanted)
    assert (task["owner"], task["intent"], task["authoredOn"][:10]) == (ref("Practitioner/ruth"), "order", "2026-11-10")
    assert task["restriction"]["period"]["end"] == end
    place = f"Task/{task['id']}"
    assert (await ruth.get(place)).status == 200
    assert {(await shared.as_(other).get(place)).status for other in (MAYA, OMAR, APP_BEN)} == {404}
    moved = await ruth.patch(place, status("rejected", restriction={"period": {"end": "2031-01-01"}}, **NEEDED["rejected"]))
    assert moved.status == 200
    told = (await ana.get(place)).json
    assert (told["status"], told["statusReason"]["text"]) == ("rejected", "The note says what was said.")
    assert told["restriction"]["period"]["end"] == end


async def test_what_a_client_has_asked_is_owed_to_them_after_the_engagement_too(api: Api) -> None:
    ana, ruth = api.as_(APP_ANA), api.as_(RUTH)
    open_, held, decided = [f"Task/{(await asked(ana, code=code))['id']}" for code in ("restriction-request", *["amendment-request"] * 2)]
    assert (await ruth.patch(held, status("on-hold", **NEEDED["on-hold"]))).status == 200
    assert (await ruth.patch(decided, status("accepted"))).status == 200
    assert (await ruth.patch("EpisodeOfCare/eoc-ana", status("finished"))).status == 200
    assert [(await ana.get(place)).json["status"] for place in (open_, held, decided)] == ["requested", "on-hold", "accepted"]


async def test_the_term_of_an_amendment_is_extended_once_with_a_reason(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    place = f"Task/{(await asked(shared.as_(APP_ANA)))['id']}"
    assert (await ruth.patch(place, status("on-hold"))).keys == {"request-reason"}
    held = await ruth.patch(place, status("on-hold", **NEEDED["on-hold"]))
    assert held.json["restriction"]["period"]["end"] == "2027-02-08T12:00:00+00:00"
    restriction = f"Task/{(await asked(shared.as_(APP_ANA), code='restriction-request'))['id']}"
    refused = await ruth.patch(restriction, status("on-hold", **NEEDED["on-hold"]))
    assert (refused.status, refused.keys) == (409, {"request-move"})


async def test_a_client_may_withdraw_what_they_asked_and_change_nothing_else(shared: Api) -> None:
    ana = shared.as_(APP_ANA)
    place = f"Task/{(await asked(ana))['id']}"
    for to in ("accepted", "rejected", "completed"):
        refused = await ana.patch(place, status(to, **NEEDED.get(to, {})))
        assert (refused.status, refused.keys) == (403, {"own-request"})
    assert (await ana.patch(place, [{"op": "replace", "path": "/description", "value": "Else"}])).status == 403
    assert (await ana.patch(place, status("cancelled"))).json["status"] == "cancelled"


async def test_what_is_no_request_of_their_own_is_not_theirs_to_make(shared: Api) -> None:
    ana = shared.as_(APP_ANA)
    for wrong in (
        request(code="escalation"),
        request(code="note-review"),
        request(requester=ref("Practitioner/ruth")),
        {**request(), "code": {"text": "amendment-request"}},
    ):
        refused = await ana.post("Task", wrong)
        assert (refused.status, refused.keys) == (403, {"own-request"})
    assert (await ana.post("Task", request(client="ben", requester=ref("Patient/ana")))).status in {403, 422}
    assert (await ana.post("Task", request(status="accepted"))).keys == {"request-start"}
    refused = await shared.as_(RUTH).patch("Task/task-esc-ana-1", [{"op": "replace", "path": "/code", "value": request()["code"]}])
    assert (refused.status, refused.keys) == (422, {"escalation-fixed"})


@pytest.mark.parametrize("before", WAYS)
async def test_a_move_that_the_table_does_not_have_changes_nothing(shared: Api, before: str) -> None:
    ana, ruth = shared.as_(APP_ANA), shared.as_(RUTH)
    place = f"Task/{(await asked(ana))['id']}"
    for step in WAYS[before]:
        mover = ana if step == "cancelled" else ruth
        assert (await mover.patch(place, status(step, **NEEDED.get(step, {})))).status == 200
    stood = (await ana.get(place)).body
    for client, role in ((ana, "client"), (ruth, "case-manager")):
        allowed = {to for (was, to), move in MOVES.items() if was == before and role in move.roles}
        for to in sorted({*STATES, "entered-in-error"} - allowed - {before}):
            refused = await client.patch(place, status(to, **NEEDED.get(to, {})))
            forbidden = role == "client" and to != "cancelled"
            assert (refused.status, refused.keys) == ((403, {"own-request"}) if forbidden else (409, {"request-move"})), (role, before, to)
    for (was, to), move in MOVES.items():
        if was == before and move.needs:
            refused = await ruth.patch(place, [{"op": "add", "path": "/status", "value": to}])
            expected = "request-output" if move.needs == "output" else "request-reason"
            assert (refused.status, refused.keys) == (422, {expected})
    assert (await ana.get(place)).body == stood


@pytest.fixture(scope="module")
async def family(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The wide world, with two minors: Ivo is 17, Jana 13; their mothers, and an aunt."""
    story = wide()
    for id, birth in (("ivo", "2009-05-01"), ("jana", "2012-11-11")):
        story.client(id, ["maya", "ruth"])
        story.find(f"Patient/{id}")["birthDate"] = birth
        story.related(f"mother-{id}", id, "MTH")
        story.related(f"aunt-{id}", id, "AUNT")
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path_factory.mktemp("family"), story.resources, MINOR_CONSENT_AGE="14") as server:
        yield server
    databases.drop(url)


async def consent(api: Api, client: str, *performers: str, **more: Any) -> JsonObject:
    """What Ana has signed, of somebody else."""
    signed = (await api.as_(RUTH).get("Consent/c-ana")).json
    kept = {name: value for name, value in signed.items() if name not in {"id", "meta", "sourceReference"}}
    source = {"sourceAttachment": {"contentType": "text/plain", "data": "U2lnbmVk"}}
    people = [ref(each if "/" in each else f"Patient/{each}") for each in performers]
    return kept | source | {"patient": ref(f"Patient/{client}"), "performer": people, "dateTime": "2026-11-10"} | more


@pytest.mark.parametrize(
    ("client", "performers", "keys"),
    [
        ("ivo", ("ivo",), set()),
        ("ivo", ("RelatedPerson/mother-ivo",), {"consent-minor"}),
        ("jana", ("jana",), {"consent-parent"}),
        ("jana", ("jana", "RelatedPerson/aunt-jana"), {"consent-parent"}),
        ("jana", ("jana", "RelatedPerson/mother-ivo"), {"consent-parent"}),
        ("jana", ("RelatedPerson/aunt-jana",), {"consent-minor", "consent-parent"}),
        ("jana", ("jana", "RelatedPerson/mother-jana"), set()),
    ],
)
async def test_a_minor_signs_and_below_an_age_a_parent_too(family: Api, client: str, performers: tuple[str, ...], keys: set[str]) -> None:
    ruth = family.as_(RUTH)
    draft = await ruth.post("Consent", await consent(family, client, *performers, status="draft"))
    assert draft.status == 201, draft.body
    answer = await ruth.patch(f"Consent/{draft.json['id']}", status("active"))
    assert (answer.status, answer.keys if keys else set()) == (422 if keys else 200, keys)
    direct = await ruth.post("Consent", await consent(family, client, *performers))
    assert direct.status == (422 if keys else 201)


async def test_the_day_of_the_signature_decides_who_had_to_sign(family: Api) -> None:
    ruth = family.as_(RUTH)
    for day, code in (("2026-11-11", 201), ("2026-11-10", 422), ("2026-11-11T02:00:00Z", 201), ("2026-11", 422), ("2026", 422)):
        assert (await ruth.post("Consent", await consent(family, "jana", "jana", dateTime=day))).status == code, day


async def test_a_parent_who_signs_reads_nothing_by_that(family: Api) -> None:
    made = await family.as_(RUTH).post("Consent", await consent(family, "jana", "jana", "RelatedPerson/mother-jana"))
    assert made.status == 201
    mother = family.as_(related("mother-jana", "jana"))
    for path in ("Patient/jana", "CareTeam/ct-jana", f"Consent/{made.json['id']}"):
        assert (await mother.get(path)).status == 404


async def test_a_representative_asks_for_the_client_and_another_relative_may_not(family: Api) -> None:
    mine = request(client="dan", requester=ref("RelatedPerson/rep-dan"))
    answer = await family.as_(REP_DAN).post("Task", mine)
    assert (answer.status, answer.json.get("owner")) == (201, ref("Practitioner/omar"))
    refused = await family.as_(SISTER_ANA).post("Task", request(requester=ref("RelatedPerson/sister-ana")))
    assert refused.status == 403
