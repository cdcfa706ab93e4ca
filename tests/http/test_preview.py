"""Consent/$preview: what a Consent would open or close, before it is made."""
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Response
from tests.callers import APP_ANA, CHEN, KIM, MAYA, OMAR, RUTH, SAM, SYS_HARBOR, SYS_RIVERBEND, Caller

RIVERBEND, HARBOR = "Organization/org-riverbend", "Organization/org-harbor"
ETH = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "ETH"}


def impact(answer: Response) -> dict[tuple[str, str, str], tuple[int, int]]:
    """(gained, lost) by recipient, type and family."""
    assert answer.status == 200, answer.body
    found: dict[tuple[str, str, str], tuple[int, int]] = {}
    for one in answer.json.get("parameter", ()):
        if one["name"] == "impact":
            said: dict[str, Any] = {part["name"]: next(value for name, value in part.items() if name != "name") for part in one["part"]}
            key = said["recipient"]["reference"], said["resourceType"], said["sensitivity"]
            found[key] = said["gained"], said["lost"]
    return found


async def of(api: Api, id: str, caller: Caller = RUTH) -> JsonObject:
    return (await api.as_(caller).get(f"Consent/{id}")).json


async def previewed(api: Api, consent: JsonObject, caller: Caller = RUTH) -> Response:
    asked = {"resourceType": "Parameters", "parameter": [{"name": "consent", "resource": consent}]}
    return await api.as_(caller).post("Consent/$preview", asked)


def named(consent: JsonObject, recipient: str) -> JsonObject:
    """The Consent, as a new one, with another recipient."""
    actors = [{**actor, "reference": {"reference": recipient}} for actor in consent["provision"]["actor"]]
    new = {name: value for name, value in consent.items() if name not in {"id", "meta"}}
    return {**new, "provision": {**consent["provision"], "actor": actors}}


async def test_a_consent_as_it_is_changes_nothing(shared: Api) -> None:
    assert impact(await previewed(shared, await of(shared, "c-ana"))) == {}


async def test_a_revocation_takes_away_all_that_the_recipient_had(shared: Api) -> None:
    found = impact(await previewed(shared, {**await of(shared, "c-ana"), "status": "inactive"}))
    assert {recipient for recipient, _, _ in found} == {RIVERBEND}
    assert all(gained == 0 and lost > 0 for gained, lost in found.values())
    assert found[RIVERBEND, "Patient", "none"] == (0, 1)
    for type in ("Observation", "Encounter", "DocumentReference", "Condition"):
        held = await shared.as_(SYS_RIVERBEND).get(type, patient="ana", _summary="count")
        most = max(lost for (_, kind, _), (_, lost) in found.items() if kind == type)
        assert 0 < most <= held.json["total"]


async def test_a_denial_of_a_family_takes_away_that_family_alone(shared: Api) -> None:
    consent = await of(shared, "c-ana")
    nested = [{"type": "deny", "securityLabel": [ETH]}]
    found = impact(await previewed(shared, {**consent, "provision": {**consent["provision"], "provision": nested}}))
    assert found[RIVERBEND, "Condition", "ETH"] == (0, 1)
    assert not any(family == "none" for _, _, family in found)


async def test_a_new_consent_opens_just_what_its_recipient_then_finds(api: Api) -> None:
    consent = named(await of(api, "c-ana"), HARBOR)
    found = impact(await previewed(api, consent))
    assert {recipient for recipient, _, _ in found} == {HARBOR}
    harbor = api.as_(SYS_HARBOR)
    assert (await harbor.get("Patient/ana")).status == 404, "nothing of a preview is stored"
    assert (await api.as_(RUTH).post("Consent", consent)).status == 201
    for type in {kind for _, kind, _ in found} - {"Patient"}:
        gained = {family: counts[0] for (_, kind, family), counts in found.items() if kind == type}
        total = (await harbor.get(type, patient="ana", _summary="count")).json["total"]
        assert max(gained.values()) <= total <= sum(gained.values()), (type, gained)
    assert impact(await previewed(api, consent)) == {}


async def test_a_consent_that_is_not_active_opens_nothing(shared: Api) -> None:
    assert impact(await previewed(shared, {**named(await of(shared, "c-ana"), HARBOR), "status": "draft"})) == {}


async def test_what_it_lacks_is_told_and_refuses_nothing(shared: Api) -> None:
    consent = named(await of(shared, "c-ana"), HARBOR)
    answer = await previewed(shared, {name: value for name, value in consent.items() if name != "extension"})
    [warning] = [one["resource"] for one in answer.json["parameter"] if one["name"] == "warning"]
    assert {(issue["severity"], issue["details"]["text"]) for issue in warning["issue"]} == {("warning", "consent-complete")}
    assert impact(answer)
    assert "warning" not in {one["name"] for one in (await previewed(shared, consent)).json["parameter"]}


async def test_structure_is_judged_as_for_a_create(shared: Api) -> None:
    consent = await of(shared, "c-ana")
    assert (await previewed(shared, {**consent, "status": "sometimes"})).status == 400
    assert (await previewed(shared, {**consent, "nonsense": True})).status == 400
    assert (await previewed(shared, {"resourceType": "Patient"})).status == 400
    assert (await shared.as_(RUTH).post("Consent/$preview", {"resourceType": "Parameters"})).status == 400


async def test_somebody_elses_client_is_as_absent(shared: Api) -> None:
    consent = await of(shared, "c-ana")
    hidden = await previewed(shared, consent, OMAR)
    absent = await previewed(shared, {**consent, "patient": {"reference": "Patient/nobody"}}, OMAR)
    assert (hidden.status, hidden.body) == (404, absent.body)
    assert (await previewed(shared, consent, SAM)).status == 200


@pytest.mark.parametrize("caller", [MAYA, CHEN, SYS_RIVERBEND, APP_ANA, KIM], ids=lambda one: one.name)
async def test_nobody_else_may_ask(shared: Api, caller: Caller) -> None:
    assert (await previewed(shared, {"resourceType": "Consent"}, caller)).status == 403


async def test_it_is_asked_for_by_post_since_no_query_holds_a_consent(shared: Api) -> None:
    assert (await shared.as_(RUTH).get("Consent/$preview")).status == 405
