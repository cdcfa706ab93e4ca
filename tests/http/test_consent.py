"""How a Consent begins, what it must say, what it opens, and how it ends (domain.md 3.3, 4.1; scenarios 5, 17, 18, 19, 20)."""
from copy import deepcopy
from typing import Any

import pytest

from recovery_api.domain.consents import EXPIRY, INFORMATION, STATEMENT
from tests.api import Api
from tests.callers import APP_ANA, CHEN, MAYA, RUTH, SAM, SYS_RIVERBEND

DRAFT, ACTIVE, INACTIVE = "draft", "active", "inactive"


async def _eves(api: Api, status: str = DRAFT, **changes: Any) -> dict[str, Any]:
    """A Consent of eve for Riverbend, as ana's is."""
    said = deepcopy((await api.as_(RUTH).get("Consent/c-ana")).json)
    for name in ("id", "meta"):
        del said[name]
    said |= {"status": status, "patient": {"reference": "Patient/eve"}, "performer": [{"reference": "Patient/eve"}], **changes}
    del said["sourceReference"]
    said["sourceAttachment"] = {"contentType": "text/plain", "data": "U2lnbmVkLg=="}
    return {name: value for name, value in said.items() if value is not None}


def _without_extension(said: dict[str, Any], url: str, code: str | None = None) -> dict[str, Any]:
    kept = [each for each in said["extension"] if each["url"] != url or (code is not None and each.get("valueCode") != code)]
    return said | {"extension": kept}


async def test_a_consent_that_lacks_what_the_law_asks_for_is_not_activated_and_told_all_that_is_missing(api: Api) -> None:
    said = await _eves(api)
    for code in ("right-to-revoke", "refusal-consequence"):
        said = _without_extension(said, STATEMENT, code)
    said = _without_extension(_without_extension(said, EXPIRY), INFORMATION)
    made = await api.as_(RUTH).post("Consent", said)
    assert made.status == 201
    refused = await api.as_(RUTH).put(f"Consent/{made.json['id']}", made.json | {"status": ACTIVE})
    assert (refused.status, refused.keys) == (422, {"consent-complete"})
    assert len(refused.json["issue"]) == 4
    assert refused.places == {"Consent.extension", "Consent.provision.period.end"}
    assert (await api.as_(RUTH).get(f"Consent/{made.json['id']}")).json["status"] == DRAFT


@pytest.mark.parametrize(
    ("element", "place"),
    [
        ("organization", "Consent.organization"),
        ("sourceAttachment", "Consent.source"),
        ("performer", "Consent.performer"),
        ("dateTime", "Consent.dateTime"),
    ],
)
async def test_each_element_is_asked_for(shared: Api, element: str, place: str) -> None:
    refused = await shared.as_(RUTH).post("Consent", _cut(await _eves(shared, ACTIVE), element))
    assert (refused.status, refused.places) == (422, {place})


def _cut(said: dict[str, Any], element: str) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != element}


async def test_an_endless_consent_is_for_treatment_payment_and_operations_only(shared: Api) -> None:
    said = await _eves(shared, ACTIVE)
    said["provision"]["purpose"] = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"}]
    refused = await shared.as_(RUTH).post("Consent", said)
    assert (refused.status, refused.places) == (422, {"Consent.provision.period.end"})
    said["provision"]["period"]["end"] = "2027-03-01"
    assert (await shared.as_(RUTH).post("Consent", said)).status == 201


async def test_a_dissent_needs_no_more_than_itself(shared: Api) -> None:
    said = await _eves(shared, ACTIVE)
    said = {name: said[name] for name in ("resourceType", "scope", "category", "patient", "status", "policy", "provision")}
    said["provision"] = {"type": "deny"}
    assert (await shared.as_(RUTH).post("Consent", said)).status == 201


async def test_an_active_consent_opens_and_its_revocation_closes_at_once(api: Api) -> None:
    before = await api.as_(SYS_RIVERBEND).get("Patient/eve")
    made = await api.as_(RUTH).post("Consent", await _eves(api))
    assert (await api.as_(SYS_RIVERBEND).get("Patient/eve")).body == before.body
    active = await api.as_(RUTH).put(f"Consent/{made.json['id']}", made.json | {"status": ACTIVE})
    assert active.status == 200
    assert (await api.as_(SYS_RIVERBEND).get("Patient/eve")).status == 200
    pages = await api.as_(SYS_RIVERBEND).get("Patient", _count=1, _sort="_id")
    revoked = await api.as_(SAM).put(f"Consent/{made.json['id']}", active.json | {"status": INACTIVE})
    assert revoked.status == 200
    assert (await api.as_(SYS_RIVERBEND).get("Patient/eve")).body == before.body
    following = pages.link("next")
    assert following is not None
    assert "eve" not in (await api.as_(SYS_RIVERBEND).get(following)).ids


async def test_a_revocation_is_dated_by_the_server_and_told_by_a_provenance(api: Api) -> None:
    ana = (await api.as_(APP_ANA).get("Consent/c-ana")).json
    revoked = await api.as_(APP_ANA).put("Consent/c-ana", ana | {"status": INACTIVE})
    assert revoked.status == 200
    [moment] = [each["valueDateTime"] for each in revoked.json["extension"] if each["url"].endswith("/consent-revoked")]
    assert moment == revoked.json["meta"]["lastUpdated"]
    [told] = (await api.as_(SAM).get("Provenance", target="Consent/c-ana")).matches
    assert told["target"] == [{"reference": f"Consent/c-ana/_history/{revoked.json['meta']['versionId']}"}]
    assert told["recorded"] == moment
    [own] = (await api.as_(APP_ANA).get("Provenance", target="Consent/c-ana")).matches
    assert (own["recorded"], own["agent"][0]["who"]) == (moment, {"reference": "Patient/ana"})
    assert (await api.as_(CHEN).get("Patient/ana")).status == 404


async def test_a_case_manager_revokes_nothing(shared: Api) -> None:
    said = (await shared.as_(RUTH).get("Consent/c-ana")).json
    refused = await shared.as_(RUTH).put("Consent/c-ana", said | {"status": INACTIVE})
    assert (refused.status, refused.keys) == (403, {"never-revoked-by-staff"})


@pytest.mark.parametrize("status", ["draft", "proposed", "active", "rejected"])
async def test_what_was_revoked_stays_revoked(api: Api, status: str) -> None:
    said = (await api.as_(APP_ANA).get("Consent/c-ana")).json
    revoked = await api.as_(APP_ANA).put("Consent/c-ana", said | {"status": INACTIVE})
    refused = await api.as_(RUTH).put("Consent/c-ana", revoked.json | {"status": status})
    assert (refused.status, refused.keys) == (409, {"consent-move"})
    assert (await api.as_(RUTH).get("Consent/c-ana")).body == revoked.body


async def test_a_companion_reads_consents_and_writes_none(shared: Api) -> None:
    said = (await shared.as_(MAYA).get("Consent/c-ana")).json
    assert (await shared.as_(MAYA).put("Consent/c-ana", said)).status == 403
