"""Launching an app: from the authorization request to tokens that open what was granted (checklist B, C)."""

import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from jose import jwt

from recovery_api.identity.keys import KeyRing
from recovery_api.identity.launches import Launch
from recovery_api.identity.registrations import Kind
from recovery_api.routers.account import launch_address
from tests.api import Api
from tests.oauth.apps import BASE, CALLBACK, Page, Register, Smart, types

SCOPE = "openid fhirUser launch/patient online_access user/Patient.rs user/Observation.rs"
TYPES = (
    "AllergyIntolerance CarePlan CareTeam Condition DiagnosticReport DocumentReference Goal Immunization MedicationRequest Observation "
    "Procedure Provenance Patient ServiceRequest Coverage MedicationDispense Specimen Location Encounter"
)


@pytest.mark.parametrize("by_post", [False, True])
async def test_an_app_is_launched_by_get_and_by_post(smart: Smart, by_post: bool) -> None:  # B01, B02, B05-B09, B19
    page = Page(await smart.authorize(SCOPE, by_post=by_post))
    assert page.status == 200
    page = Page(await smart.follow(await smart.sign_in(page)))
    page = Page(await smart.choose(page, "ana"))
    answer = smart.answer(await smart.submit(page, decision="allow"))
    assert answer["state"] == smart.state
    assert answer["iss"] == "http://127.0.0.1:8000"
    assert "error" not in answer
    token = await smart.exchange(answer["code"])
    assert token.status_code == 200
    assert "no-store" in token.headers["cache-control"]
    assert "no-cache" in token.headers["pragma"]
    said = token.json()
    assert said["token_type"].lower() == "bearer"
    assert type(said["expires_in"]) is int
    assert all(isinstance(said[name], str) for name in ("access_token", "scope", "refresh_token", "id_token", "patient"))
    assert set(SCOPE.split()) <= set(said["scope"].split())
    assert (await smart.fhir(said["access_token"]).get(f"Patient/{said['patient']}")).status == 200


@pytest.mark.parametrize("kind", ["confidential-symmetric", "confidential-asymmetric"])
async def test_confidential_apps_authenticate(shared: Api, register: Register, ring: KeyRing, kind: Kind) -> None:  # B05
    app = await register(shared, kind, redirect_uris=(CALLBACK,), key=ring.signing() if kind.endswith("-asymmetric") else None)
    code = await app.code("user/Patient.rs", patient=None)
    name = app.name
    unproved = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": app.verifier}
    nobody = await app.http.post("/oauth/token", data={**unproved, "client_id": name})
    assert (nobody.status_code, nobody.json()["error"]) == (401, "invalid_client")
    if app.secret:
        wrong = await app.http.post("/oauth/token", data=unproved, auth=(name, "wrong"))
        assert (wrong.status_code, wrong.headers["www-authenticate"][:5]) == (401, "Basic")
        by_body = {**unproved, "client_id": name, "client_secret": app.secret}
        assert (await app.http.post("/oauth/token", data=by_body, auth=(name, app.secret))).status_code == 400
        assert (await app.http.post("/oauth/token", data=by_body)).status_code == 200
    else:
        assert (await app.exchange(code)).status_code == 200


async def test_an_ehr_launch_brings_patient_encounter_and_look(shared: Api, register: Register) -> None:  # B03, B20-B24
    launch_uri = "http://127.0.0.1:9/launch"
    app = await register(shared, "public", redirect_uris=(CALLBACK,), launch_uri=launch_uri)
    more = ("CarePlan/cp-ana",)
    opened = Launch(client_id=app.name, fhir_user="Practitioner/maya", patient="ana", encounter="e-ana-1", context=more)
    value = shared.running.authorization.launches.sealed(opened)
    asked = parse_qs(urlsplit(launch_address(launch_uri, BASE, value)).query)
    assert asked == {"iss": [BASE], "launch": [value]}
    scope = "launch openid fhirUser online_access user/Patient.rs user/Encounter.rs"
    said = await app.granted(scope, launch=value)
    assert (said["patient"], said["encounter"], said["need_patient_banner"]) == ("ana", "e-ana-1", True)
    assert said["fhirContext"] == [{"reference": "CarePlan/cp-ana"}]
    assert set(scope.split()) <= set(said["scope"].split())
    assert (await app.fhir(said["access_token"]).get("Encounter/e-ana-1")).status == 200
    style = await app.http.get(said["smart_style_url"])
    assert (style.status_code, style.headers["content-type"]) == (200, "application/json")
    assert style.json()["color_background"] == "#ffffff"
    again = await app.submit(await app.at_decision(scope, launch=value), decision="allow")
    assert app.answer(again)["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "other"}, {"patient": "ben"}, {"encounter": "e-ben-1"}, {"fhir_user": "Practitioner/ruth"}],
    ids=["another app", "a patient who is not hers", "an encounter that is not hers", "somebody else"],
)
async def test_a_launch_opens_only_what_the_person_may_open(smart: Smart, changes: dict[str, str]) -> None:
    opened: dict[str, Any] = {"client_id": smart.name, "fhir_user": "Practitioner/maya", "patient": "ana"} | changes
    value = smart.api.running.authorization.launches.sealed(Launch(**opened))
    response = await smart.authorize("launch user/Patient.rs", launch=value)
    if response.status_code == 200:
        response = await smart.follow(await smart.sign_in(Page(response)))
    assert smart.answer(response)["error"] in {"invalid_request", "access_denied"}


async def test_a_launch_is_over_after_five_minutes(lone: Smart) -> None:
    opened = Launch(client_id=lone.name, fhir_user="Practitioner/maya", patient="ana")
    value = lone.api.running.authorization.launches.sealed(opened)
    lone.api.clock.move(seconds=300)
    assert lone.answer(await lone.authorize("launch user/Patient.rs", launch=value))["error"] == "invalid_request"
    assert lone.answer(await lone.authorize("launch user/Patient.rs", launch="forged"))["error"] == "invalid_request"
    assert lone.answer(await lone.authorize("launch user/Patient.rs"))["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "https://example.com/fhir"}, "invalid_request"),  # B04
        ({"aud": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "user/Patient.sr"}, "invalid_scope"),
        ({"scope": "recovery/companion recovery/admin user/Patient.rs"}, "invalid_scope"),
        ({"scope": "recovery/nobody"}, "invalid_scope"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ],
    ids=str,
)
async def test_a_request_that_is_not_right_goes_back_to_the_app_with_an_error(smart: Smart, changes: dict[str, Any], error: str) -> None:
    whole: dict[str, Any] = {"scope": SCOPE} | changes
    said = smart.answer(await smart.authorize(**whole))
    assert said["error"] == error
    assert said.get("state") == (smart.state if "state" not in changes else None)
    assert "code" not in said


@pytest.mark.parametrize("name", ["state", "scope", "aud"])
async def test_a_repeated_parameter_is_refused(smart: Smart, name: str) -> None:
    question = f"{urlencode(smart.question(SCOPE))}&{name}=again"
    assert smart.answer(await smart.http.get(f"/oauth/authorize?{question}"))["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": f"{CALLBACK}&x=1"},
        {"redirect_uri": CALLBACK.partition("?")[0]},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": CALLBACK.replace("127.0.0.1", "localhost")},
    ],
    ids=str,
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(smart: Smart, changes: dict[str, Any]) -> None:  # B17
    answer = await smart.authorize(SCOPE, **changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "Nothing was shared" in answer.text


async def test_a_code_is_good_once_and_ends_the_grant_when_it_comes_again(smart: Smart) -> None:  # B10
    code = await smart.code(SCOPE)
    said = (await smart.exchange(code)).json()
    again = await smart.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await smart.fhir(said["access_token"]).get("Patient/ana")).status == 401
    assert (await smart.refresh(said["refresh_token"])).status_code == 400


async def test_a_code_is_good_for_a_minute(lone: Smart) -> None:
    code = await lone.code(SCOPE)
    lone.api.clock.move(seconds=60)
    assert (await lone.exchange(code)).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"code": "random"}, {400}),  # B11
        ({"client_id": "nobody"}, {401}),  # B12
        ({"code_verifier": ""}, {400}),  # B13, B14
        ({"code_verifier": "x" * 43}, {400}),  # B15
        ({"redirect_uri": "https://evil.example/"}, {400}),  # B17
        ({"redirect_uri": ""}, {400}),
        ({"code": ""}, {400}),
        ({"grant_type": "password"}, {400}),
        ({"grant_type": "client_credentials"}, {400}),
    ],
    ids=str,
)
async def test_a_code_is_not_changed_for_less_than_it_needs(smart: Smart, changes: dict[str, str], status: set[int]) -> None:
    code = await smart.code(SCOPE)
    refused = await smart.exchange(code, **changes)
    assert refused.status_code in status
    assert "no-store" in refused.headers["cache-control"]
    assert (await smart.exchange(code)).status_code == 200


async def test_the_challenge_is_no_verifier(smart: Smart) -> None:  # B16
    code = await smart.code(SCOPE)
    challenge = smart.question(SCOPE)["code_challenge"]
    assert (await smart.exchange(code, code_verifier=challenge)).status_code == 400


async def test_a_code_of_one_app_is_nothing_to_another(smart: Smart, register: Register) -> None:
    other = await register(smart.api, "public", redirect_uris=(CALLBACK,))
    code = await smart.code(SCOPE)
    assert (await other.exchange(code, code_verifier=smart.verifier)).status_code == 400
    assert (await smart.exchange(code)).status_code == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_every_type_of_the_record_is_granted_to_the_clients_own_app(smart: Smart, version: str) -> None:  # B23, B25-B27
    asked = [f"patient/{type_}.{'read' if version == 'v1' else 'rs'}" for type_ in TYPES.split()]
    scope = " ".join(["launch/patient", "openid", "fhirUser", "offline_access", *asked])
    said = await smart.granted(scope, "ana", patient=None)
    assert types(said["scope"]) == set(TYPES.split())
    assert {f"patient/{type_}.rs" for type_ in ("Patient", "Observation", "Condition")} <= set(said["scope"].split())
    assert {"openid", "fhirUser", "launch/patient", "offline_access"} <= set(said["scope"].split())
    caller = smart.fhir(said["access_token"])
    for type_ in ("Condition", "Observation", "Goal"):
        assert (await caller.get(f"{type_}?patient=ana")).ids


async def test_the_id_token_says_who_it_is(smart: Smart) -> None:  # C01, C06-C08
    nonce = secrets.token_hex(8)
    said = await smart.granted("openid fhirUser user/Practitioner.rs", patient=None, nonce=nonce)
    keys = {key["kid"]: key for key in (await smart.http.get("/oauth/jwks.json")).json()["keys"]}
    header = jwt.get_unverified_header(said["id_token"])
    assert header["alg"] == "RS256"
    options = {"verify_exp": False, "verify_iat": False, "verify_at_hash": False}
    expected = {"audience": smart.name, "issuer": "http://127.0.0.1:8000", "options": options}
    claims = jwt.decode(said["id_token"], keys[header["kid"]], algorithms=["RS256"], **expected)
    assert claims["nonce"] == nonce
    assert claims["exp"] > smart.api.clock() // 1_000_000 >= claims["iat"]
    assert 0 < len(claims["sub"]) <= 255
    assert claims["fhirUser"] == f"{BASE}/Practitioner/maya"
    assert (await smart.fhir(said["access_token"]).get(claims["fhirUser"])).status == 200
    assert (await smart.fhir(said["id_token"]).get("Practitioner/maya")).status == 401


async def test_a_person_may_say_no(smart: Smart) -> None:
    page = await smart.at_decision(SCOPE)
    assert smart.answer(await smart.submit(page, decision="deny")) == {
        "app": "1", "error": "access_denied", "error_description": "The person did not allow it.", "state": smart.state,
        "iss": "http://127.0.0.1:8000",
    }  # fmt: skip
