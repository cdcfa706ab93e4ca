"""What becomes of a grant: refresh, revocation, introspection (checklist D), and what ends it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.identity.keys import KeyRing
from tests.api import Api, Client, serving
from tests.databases import Databases
from tests.oauth.apps import BASE, CALLBACK, PASSWORD, Page, Register, Smart, registered

SCOPE = "openid fhirUser launch/patient online_access user/Patient.rs user/Observation.rs"


async def reads(app: Smart, token: str, path: str = "Patient/ana") -> int:
    return (await app.fhir(token).get(path)).status


@pytest.mark.parametrize("scope", [None, SCOPE])
async def test_a_refresh_gives_the_same_again(smart: Smart, scope: str | None) -> None:  # D01-D04, D06
    first = await smart.granted(SCOPE)
    answer = await smart.refresh(first["refresh_token"], **({"scope": scope} if scope else {}))
    assert answer.status_code == 200
    assert "no-store" in answer.headers["cache-control"]
    assert "no-cache" in answer.headers["pragma"]
    said = answer.json()
    assert set(said) >= {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert set(said["scope"].split()) == set(first["scope"].split())
    assert (said["patient"], await reads(smart, said["access_token"])) == ("ana", 200)
    assert said["refresh_token"] != first["refresh_token"]


async def test_a_refresh_may_ask_for_less_and_not_for_more(smart: Smart) -> None:
    first = await smart.granted(SCOPE)
    more = await smart.refresh(first["refresh_token"], scope=f"{SCOPE} user/Goal.rs")
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")
    less = (await smart.refresh(first["refresh_token"], scope="user/Patient.r")).json()
    assert less["scope"] == "recovery/companion user/Patient.r"
    assert "id_token" not in less
    assert await reads(smart, less["access_token"], "Observation?patient=ana") == 403


@pytest.mark.parametrize("token", ["random", ""])
async def test_a_refresh_token_that_was_never_given_is_refused(smart: Smart, token: str) -> None:  # D05
    assert (await smart.refresh(token)).status_code == 400


async def test_a_refresh_token_that_comes_again_ends_the_family(smart: Smart) -> None:  # D12
    first = await smart.granted(SCOPE)
    second = (await smart.refresh(first["refresh_token"])).json()
    again = await smart.refresh(first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await smart.refresh(second["refresh_token"])).status_code == 400
    assert await reads(smart, second["access_token"]) == 401


async def test_of_many_refreshes_at_once_one_succeeds_at_most(smart: Smart) -> None:
    first = await smart.granted(SCOPE)
    answers = await asyncio.gather(*(smart.refresh(first["refresh_token"]) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers)[1:] == [400, 400, 400]


async def test_a_refresh_token_of_one_app_is_nothing_to_another(smart: Smart, register: Register) -> None:
    other = await register(smart.api, "public", redirect_uris=(CALLBACK,))
    first = await smart.granted(SCOPE)
    assert (await other.refresh(first["refresh_token"])).status_code == 400
    assert (await smart.refresh(first["refresh_token"])).status_code == 200


@pytest.mark.parametrize("by", ["access_token", "refresh_token"])
async def test_a_revoked_grant_opens_nothing_any_more(smart: Smart, register: Register, by: str) -> None:  # D07, D08
    said = await smart.granted(SCOPE)
    assert await reads(smart, said["access_token"]) == 200
    other = await register(smart.api, "public", redirect_uris=(CALLBACK,))
    assert (await other.post("revoke", token=said[by])).status_code == 200
    assert await reads(smart, said["access_token"]) == 200
    answer = await smart.post("revoke", token=said[by])
    assert (answer.status_code, answer.content) == (200, b"")
    assert await reads(smart, said["access_token"]) == 401
    assert (await smart.refresh(said["refresh_token"])).status_code == 400
    assert (await smart.post("revoke", token="random")).status_code == 200


async def test_a_revocation_holds_at_once_in_every_process(databases: Databases, people_template: str, tmp_path: Path) -> None:
    url = databases.clone(people_template)
    async with serving(url, tmp_path) as one, serving(url, tmp_path) as other:
        app = await registered(one, "public", redirect_uris=(CALLBACK,))
        async with app.http:
            said = await app.granted(SCOPE)
            there = Client(other.http, said["access_token"])
            assert (await there.get("Patient/ana")).status == 200
            revoking = asyncio.create_task(app.post("revoke", token=said["access_token"]))
            other.clock.move(seconds=0.5)  # what passes for the other process until the revocation is answered
            assert (await revoking).status_code == 200
            assert (await there.get("Patient/ana")).status == 401
    databases.drop(url)


async def test_many_requests_ask_for_revocations_once(smart: Smart) -> None:
    caller = smart.fhir((await smart.granted(SCOPE))["access_token"])
    with smart.api.statements() as asked:
        for _ in range(5):
            assert (await caller.get("Patient/ana")).status == 200
    assert len([one for one in asked if "ledger" in one.sql]) <= 1


@pytest.fixture
async def server(shared: Api, register: Register) -> Smart:
    """A confidential app, which may introspect."""
    return await register(shared, "confidential-symmetric", redirect_uris=(CALLBACK,))


async def test_introspection_tells_what_a_token_says(server: Smart) -> None:  # D09
    said = await server.granted(SCOPE + " user/Encounter.rs")
    answer = await server.post("introspect", token=said["access_token"])
    assert answer.status_code == 200
    assert "no-store" in answer.headers["cache-control"]
    told = answer.json()
    assert told["active"] is True
    assert told["client_id"] == server.name
    assert set(told["scope"].split()) == set(said["scope"].split())
    assert told["exp"] == server.api.clock() // 1_000_000 + said["expires_in"]
    assert told["patient"] == "ana"
    assert told["fhirUser"] == f"{BASE}/Practitioner/maya"
    payload = id_claims(said["id_token"])
    assert (told["iss"], told["sub"]) == (payload["iss"], payload["sub"])


async def test_introspection_says_of_others_that_they_are_not_active(server: Smart) -> None:  # D10
    said = await server.granted(SCOPE)
    await server.post("revoke", token=said["access_token"])
    for token in ("random", said["access_token"], said["access_token"] + "x", said["id_token"]):
        answer = await server.post("introspect", token=token)
        assert (answer.status_code, answer.json()) == (200, {"active": False})


async def test_introspection_is_for_those_who_authenticate(server: Smart, smart: Smart) -> None:  # D11
    said = await smart.granted(SCOPE)
    for params in ({"token": said["access_token"]}, {"token": said["access_token"], "client_id": smart.name}):
        assert (await server.http.post("/oauth/introspect", data=params)).status_code == 401
    assert (await server.post("introspect")).status_code == 400


async def test_online_access_ends_with_the_session(smart: Smart) -> None:
    said = await smart.granted(SCOPE)
    account = Page(await smart.http.get("/account"))
    assert "maya" in account.text
    form = next(place for place, form in enumerate(account.forms) if form.action == "/account/sign-out")
    assert (await smart.submit(account, form)).status_code == 303
    assert (await smart.refresh(said["refresh_token"])).status_code == 400
    assert await reads(smart, said["access_token"]) == 401
    assert "Sign in" in (await smart.http.get("/account")).text


async def test_offline_access_is_for_clients_and_outlives_the_session(lone: Smart) -> None:
    scope = "launch/patient openid offline_access patient/Patient.rs"
    assert "offline_access" not in (await lone.granted(scope))["scope"]
    lone.http.cookies.clear()
    said = await lone.granted(scope, "ana", patient=None)
    lone.api.clock.move(seconds=89 * 86_400)
    again = (await lone.refresh(said["refresh_token"])).json()
    assert (again["patient"], await reads(lone, again["access_token"])) == ("ana", 200)
    lone.api.clock.move(seconds=86_400)
    assert (await lone.refresh(again["refresh_token"])).status_code == 400


async def test_a_person_may_keep_offline_access_to_themselves(smart: Smart) -> None:
    page = await smart.at_decision("launch/patient offline_access patient/Patient.rs", "ana", None)
    assert "offline_access" in page.text
    said = (await smart.exchange(smart.answer(await smart.submit(page, decision="allow", unticked=["yes"]))["code"])).json()
    assert "offline_access" not in said["scope"]
    assert "refresh_token" not in said


async def test_signing_out_everywhere_ends_what_apps_may_do(smart: Smart) -> None:
    said = await smart.granted("launch/patient offline_access patient/Patient.rs", "ana", patient=None)
    page = Page(await smart.http.get("/account"))
    form = next(place for place, form in enumerate(page.forms) if form.action == "/account/sign-out-everywhere")
    await smart.submit(page, form)
    assert (await smart.refresh(said["refresh_token"])).status_code == 400
    assert await reads(smart, said["access_token"]) == 401


@pytest.mark.parametrize("act", ["disable", "set_password"])
async def test_an_account_that_is_closed_or_changed_ends_what_it_opened(lone: Smart, act: str) -> None:
    said = await lone.granted(SCOPE)
    server = lone.api.running.authorization
    await (server.disable("maya") if act == "disable" else server.set_password("maya", "another horse battery"))
    assert (await lone.refresh(said["refresh_token"])).status_code == 400
    assert await reads(lone, said["access_token"]) == 401
    page = Page(await lone.authorize(SCOPE))
    assert (await lone.sign_in(page, "maya", PASSWORD)).status_code == 401


async def test_a_revoked_app_gets_nothing_more(lone: Smart) -> None:
    said = await lone.granted(SCOPE)
    await lone.api.running.authorization.revoke_client(lone.name)
    assert await reads(lone, said["access_token"]) == 401
    assert (await lone.refresh(said["refresh_token"])).status_code == 401
    assert (await lone.authorize(SCOPE)).status_code == 400


async def test_staff_tokens_last_a_quarter_of_an_hour(lone: Smart) -> None:
    said = await lone.granted(SCOPE)
    assert said["expires_in"] == 900
    lone.api.clock.move(seconds=899)
    assert await reads(lone, said["access_token"]) == 200
    lone.api.clock.move(seconds=1)
    assert await reads(lone, said["access_token"]) == 401
    assert (await lone.refresh(said["refresh_token"])).status_code == 200


async def test_new_keys_leave_open_sessions_alone(lone: Smart, tmp_path: Path) -> None:
    said = await lone.granted(SCOPE)
    before = (await lone.http.get("/oauth/jwks.json")).json()["keys"]
    ring = KeyRing(tmp_path / "keys")
    ring.rotate("ES256")
    ring.rotate("RS256")
    after = (await lone.http.get("/oauth/jwks.json")).json()["keys"]
    assert len(after) == len(before) + 2
    assert await reads(lone, said["access_token"]) == 200
    again = (await lone.refresh(said["refresh_token"])).json()
    assert await reads(lone, again["access_token"]) == 200
    assert {again["access_token"].split(".")[0], again["id_token"].split(".")[0]}.isdisjoint(
        {said["access_token"].split(".")[0], said["id_token"].split(".")[0]}
    )


def id_claims(token: str) -> JsonObject:
    """What an id token says."""
    from jose import jwt

    said: Any = jwt.get_unverified_claims(token)
    return json.loads(json.dumps(said))
