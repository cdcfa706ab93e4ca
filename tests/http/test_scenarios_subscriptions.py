"""What subscribers hear in scenarios 1 and 15 of domain.md 8 (10 is in test_subscriptions), and of the topics beside them."""
from collections.abc import Mapping
from typing import Any

import pytest

from recovery_api.interactions.care.session_check_ins import miss
from recovery_api.interactions.care.unacknowledged import reassign_due
from tests.api import Api
from tests.callers import APP_ANA, LEO, MAYA, OMAR, RUTH, SYS_LAKESIDE, SYS_RIVERBEND
from tests.http.escalating import YES, response
from tests.http.notified import Endpoint, deliver, wish
from tests.http.recorded import finished, made
from tests.http.referring import referred, status
from tests.http.resources import observation, session

OF_ANA = "Observation?patient=Patient/ana"


@pytest.fixture
def settings(endpoint: Endpoint) -> Mapping[str, Any]:
    return {"ON_CALL": "Practitioner/omar", "ALLOWED_PRIVATE_ENDPOINTS": endpoint.origin}


async def test_1_the_clinic_hears_that_its_referral_was_accepted(api: Api, endpoint: Endpoint) -> None:
    lakeside, ruth = api.as_(SYS_LAKESIDE), api.as_(RUTH)
    for path, filters in (("all", ()), ("accepted", ("Task?status=accepted",)), ("rejected", ("Task?status=rejected",))):
        await lakeside.post("Subscription", wish("referral-status", endpoint.address(path), *filters))
    await api.as_(LEO).post("Subscription", wish("careteam-changed", endpoint.address("leo")))
    await deliver(api)
    _, _, task = await referred(lakeside, "LS-881")
    await deliver(api)
    assert endpoint.told("all") == []
    assert (await ruth.patch(task, status("accepted"))).status == 200
    await deliver(api)
    assert {path: endpoint.told(path) for path in ("all", "accepted", "rejected", "leo")} == {
        "all": [("1", task)], "accepted": [("1", task)], "rejected": [], "leo": [],
    }  # fmt: skip
    assert (await lakeside.get(task)).json["status"] == "accepted"


async def test_15_who_is_asked_next_hears_that_nobody_answered(api: Api, endpoint: Endpoint) -> None:
    omar, ruth = api.as_(OMAR), api.as_(RUTH)
    await omar.post("Subscription", wish("escalation-unacknowledged", endpoint.address("omar"), "Task?owner=Practitioner/omar"))
    await ruth.post("Subscription", wish("high-acuity-observation", endpoint.address("ruth"), "Flag?patient=Patient/ana"))
    await ruth.post("Subscription", wish("high-acuity-observation", endpoint.address("low"), "Observation?priority=routine"))
    await deliver(api)
    answers = await api.as_(MAYA).post("QuestionnaireResponse", response("c-ssrs", {"93249-1": YES}))
    assert answers.status == 201, answers.body
    await deliver(api)
    [task] = (await ruth.get("Task", patient="ana", status="requested")).matches
    [flag] = (await ruth.get("Flag", patient="ana")).matches
    assert f"Flag/{flag['id']}" in {focus for _, focus in endpoint.told("ruth")}
    assert endpoint.told("omar") == []
    api.clock.move(seconds=15 * 60)
    await reassign_due(api.running.server)
    await deliver(api)
    assert endpoint.told("omar") == [("1", f"Task/{task['id']}")]


async def test_an_observation_is_acute_where_a_rule_of_escalation_holds_of_it(api: Api, endpoint: Endpoint) -> None:
    ruth, maya = api.as_(RUTH), api.as_(MAYA)
    for caller, path in ((RUTH, "ruth"), (SYS_RIVERBEND, "ehr"), (OMAR, "omar")):
        await api.as_(caller).post("Subscription", wish("high-acuity-observation", endpoint.address(path), OF_ANA))
    await ruth.post("Subscription", wish("high-acuity-observation", endpoint.address("urgent"), "Observation?priority=urgent"))
    await ruth.post("Subscription", wish("high-acuity-observation", endpoint.address("routine"), "Observation?priority=routine"))
    await deliver(api)
    for value in (6, 7):
        await made(maya, observation("mood", value))
        urge = await made(maya, observation("urge-self-harm", value))
    await deliver(api)
    assert {path: [focus for _, focus in endpoint.told(path)] for path in ("ruth", "ehr", "omar", "routine")} == {
        "ruth": [urge], "ehr": [urge], "omar": [], "routine": [],
    }  # fmt: skip
    assert [focus for _, focus in endpoint.told("urgent")] == [urge]


async def test_each_other_topic_tells_what_it_says(api: Api, endpoint: Endpoint) -> None:
    ruth, maya, ana = api.as_(RUTH), api.as_(MAYA), api.as_(APP_ANA)
    for name in ("session-finished", "consent-changed", "careteam-changed"):
        await ruth.post("Subscription", wish(name, endpoint.address(name)))
    for name in ("maya", "leo"):
        await ruth.post("Subscription", wish("check-in-missed", endpoint.address(name), f"Task?practitioner=Practitioner/{name}"))
    await ruth.post("Subscription", wish("session-finished", endpoint.address("other"), "Encounter?participant=Practitioner/leo"))
    await deliver(api)
    over = await finished(maya)
    here = await made(maya, session())
    for state in ("arrived", "in-progress"):
        assert (await maya.patch(here, status(state))).status == 200
    api.clock.move(seconds=6 * 3_600)
    await miss(api.running.server)
    await deliver(api)
    [missed] = endpoint.told("maya")
    assert missed[1].startswith("Task/")
    assert endpoint.told("leo") == []
    assert (endpoint.told("session-finished"), endpoint.told("other")) == ([("1", over)], [])
    team = (await ruth.get("CareTeam/ct-ana")).json
    assert (await ruth.put("CareTeam/ct-ana", team | {"name": "Another name"})).status == 200
    await deliver(api)
    assert endpoint.told("careteam-changed") == []
    ended = [*team["participant"]]
    ended[-1] = ended[-1] | {"period": ended[-1].get("period", {}) | {"end": "2026-11-09"}}
    assert (await ruth.put("CareTeam/ct-ana", team | {"participant": ended})).status == 200
    consent = (await ana.get("Consent/c-ana")).json
    assert (await ana.put("Consent/c-ana", consent | {"status": "inactive"})).status == 200
    await deliver(api)
    assert endpoint.told("careteam-changed") == [("1", "CareTeam/ct-ana")]
    assert endpoint.told("consent-changed") == [("1", "Consent/c-ana")]
