"""What may be registered: accounts that open one role, API clients that nobody else can pose as."""

import json
from pathlib import Path
from typing import Any

import pytest

from recovery_api.identity.accounts import Account, AccountRefused
from recovery_api.identity.keys import KeyRing
from recovery_api.identity.passwords import PasswordRefused
from recovery_api.identity.registrations import Registration, RegistrationRefused
from tests.api import Api
from tests.oauth.apps import CALLBACK, PASSWORD

APP: dict[str, Any] = {"client_id": "an-app", "name": "App", "kind": "public", "redirect_uris": (CALLBACK,)}
EHR: dict[str, Any] = {"client_id": "an-ehr", "name": "EHR", "kind": "backend", "role": "ehr", "organization": "org-riverbend"}


@pytest.mark.parametrize(
    "account",
    [
        {"role": "boss", "fhir_user": "Practitioner/lou"},
        {"role": "ehr", "fhir_user": "Device/lou"},
        {"role": "companion", "fhir_user": ""},
        {"role": "companion", "fhir_user": "Patient/ana"},
        {"role": "companion", "fhir_user": "Practitioner/lou", "patient": "ana"},
        {"role": "companion", "fhir_user": "Practitioner/lou", "username": "l ou"},
        {"role": "companion", "fhir_user": "Practitioner/lou", "organization": "a b"},
        {"role": "client", "fhir_user": ""},
        {"role": "client", "fhir_user": "RelatedPerson/sister"},
        {"role": "client", "fhir_user": "Patient/ana", "patient": "ben"},
        {"role": "client", "fhir_user": "", "patient": "a b"},
    ],
    ids=str,
)
async def test_an_account_that_could_open_nothing_is_not_made(shared: Api, account: dict[str, Any]) -> None:
    accounts = shared.running.authorization.accounts
    whole: dict[str, Any] = {"username": "lou"} | account
    with pytest.raises(AccountRefused):
        await accounts.add(Account(**whole), PASSWORD)
    assert await accounts.find("lou") is None


async def test_an_account_is_made_once_and_has_a_password_of_some_length(shared: Api) -> None:
    accounts = shared.running.authorization.accounts
    sister = Account(username="Sister", role="client", fhir_user="RelatedPerson/sister", patient="ana")
    with pytest.raises(PasswordRefused):
        await accounts.add(sister, "short")
    await accounts.add(sister, PASSWORD)
    found = await accounts.find(" SISTER ")
    assert found
    assert (found.username, found.patient) == ("sister", "ana")
    assert found.password.startswith("$argon2id$")
    with pytest.raises(AccountRefused):
        await accounts.add(sister, PASSWORD)


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uris": ()},
        {"redirect_uris": ("http://app.example/callback",)},
        {"redirect_uris": ("https://app.example/#fragment",)},
        {"redirect_uris": ("https://user@app.example/",)},
        {"redirect_uris": ("https://app.example/a b",)},
        {"redirect_uris": ("https://app.example:x/",)},
        {"redirect_uris": ("javascript:alert(1)",)},
        {"redirect_uris": ("myapp:/callback",)},
        {"redirect_uris": (CALLBACK, "/callback")},
        {"launch_uri": "ftp://app.example"},
        {"scope": "user/Patient.sr"},
        {"role": "boss"},
        {"role": "ehr"},
        {"role": "companion", "scope": "recovery/admin user/*.rs"},
        {"scope": "recovery/companion recovery/admin"},
        {"jwks_uri": "https://app.example/jwks.json"},
        {"organization": "a b"},
        {"client_id": "a b"},
        {"client_id": ""},
        {"name": " "},
        {"kind": "confidential-asymmetric"},
        {"kind": "confidential-asymmetric", "jwks_uri": "http://app.example/jwks.json"},
    ],
    ids=str,
)
async def test_an_app_that_could_not_be_trusted_is_not_registered(shared: Api, changes: dict[str, Any]) -> None:
    registrations = shared.running.authorization.registrations
    with pytest.raises(RegistrationRefused):
        await registrations.add(Registration(**(APP | changes)))
    assert await registrations.find("an-app") is None


@pytest.mark.parametrize("uri", ["https://app.example/cb?x=1", "http://localhost:3000/cb", "http://[::1]:9/cb", "com.example.app:/cb"])
async def test_a_redirect_uri_is_https_or_of_this_machine_or_of_an_app(shared: Api, uri: str) -> None:
    await shared.running.authorization.registrations.add(Registration(**(APP | {"client_id": f"at-{len(uri)}", "redirect_uris": (uri,)})))


async def test_a_backend_brings_a_public_key_a_role_and_an_organization(shared: Api, tmp_path: Path) -> None:
    registrations, key = shared.running.authorization.registrations, dict(KeyRing(tmp_path).signing().public)
    private = json.loads((tmp_path / "es256-1.jwk").read_text())
    for keys in ([private], [], [{"kty": "oct", "k": "AAAA", "kid": "a"}], [{**key, "kid": ""}], [{**key, "alg": "HS256"}], None):
        with pytest.raises(RegistrationRefused):
            await registrations.add(Registration(**EHR, jwks=None if keys is None else {"keys": keys}))
    for changes in ({"role": None}, {"role": "companion"}, {"organization": None}, {"redirect_uris": (CALLBACK,)}, {"jwks": {"keys": "x"}}):
        whole: dict[str, Any] = EHR | {"jwks": {"keys": [key]}} | changes
        with pytest.raises(RegistrationRefused):
            await registrations.add(Registration(**whole))
    assert await registrations.add(Registration(**EHR, jwks={"keys": [key]})) is None
    with pytest.raises(RegistrationRefused):
        await registrations.rotate("an-ehr")
