"""Who is let in: tokens as they must be, and exactly one role (interfaces.md, roles and scopes)."""
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from recovery_api.fhir.json import JsonObject, dump, parse
from tests.api import Api, Client
from tests.callers import CHEN, MAYA

CLAIMS: JsonObject = {"sub": "maya", "scope": "recovery/companion user/*.rs", "fhirUser": "Practitioner/maya", "organization": "org-cir"}


def with_payload(token: str, **changes: object) -> str:
    """The token with other claims, and the signature that it had."""
    header, payload, signature = token.split(".")
    said = parse(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | changes
    return f"{header}.{urlsafe_b64encode(dump(said)).rstrip(b'=').decode()}.{signature}"


async def status(api: Api, token: str) -> int:
    return (await Client(api.http, token).get("Patient/ana")).status


async def test_a_token_of_our_own_opens_what_its_role_and_relations_open(shared: Api) -> None:
    assert await status(shared, shared.running.tokens.mint(CLAIMS, 60)) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.example/fhir"},
        {"aud": ["http://127.0.0.1:8000/fhir", "https://elsewhere.example"]},
        {"iss": "https://elsewhere.example"},
        {"scope": "user/*.rs"},
        {"scope": "recovery/companion recovery/case-manager user/*.rs"},
        {"scope": "recovery/superuser user/*.rs"},
        {"scope": ""},
        {"fhirUser": None},
        {"fhirUser": "Patient/ana"},
        {"fhirUser": "https://elsewhere.example/Practitioner/maya"},
        {"exp": None},
        {"aud": None},
        {"iat": None},
        {"jti": None},
        {"sub": None},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"nbf": 99_999_999_999},
        {"iat": 99_999_999_999},
    ],
    ids=str,
)
async def test_a_token_that_says_what_it_may_not_say_is_refused(shared: Api, changes: JsonObject) -> None:
    assert await status(shared, shared.running.tokens.mint(CLAIMS | changes, 60)) == 401


async def test_a_token_is_refused_from_the_second_in_which_it_expires(api: Api) -> None:
    token = api.running.tokens.mint(CLAIMS, 60)
    api.clock.move(seconds=59)
    assert await status(api, token) == 200
    api.clock.move(seconds=1)
    assert await status(api, token) == 401


async def test_a_token_that_was_changed_is_refused(shared: Api) -> None:
    token = shared.running.tokens.mint(CLAIMS, 60)
    header, payload, signature = token.split(".")
    none = urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    for forged in (
        with_payload(token, scope="recovery/case-manager user/*.cruds"),
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        token + "x" * 9000,
    ):
        answer = await Client(shared.http, forged).get("Patient/ana")
        assert answer.status == 401
        assert "expired" not in answer.body.decode()


@pytest.mark.parametrize("authorization", ["", "Basic bWF5YTpzZWNyZXQ=", "Bearer", "Token abc"])
async def test_another_way_to_authenticate_is_not_taken(shared: Api, authorization: str) -> None:
    answer = await shared.as_(None).get("Patient/ana", headers={"authorization": authorization})
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json["issue"][0]["code"] == "login"


async def test_a_token_in_the_address_is_not_taken(shared: Api) -> None:
    assert (await shared.as_(None).get(f"Patient/ana?access_token={shared.token(CHEN)}")).status == 401


async def test_the_scheme_is_read_in_any_case(shared: Api) -> None:
    assert (await shared.as_(None).get("Patient/ana", headers={"authorization": f"bearer {shared.token(MAYA)}"})).status == 200
