"""Somebody else's client gets along with the server: Authlib, as apps use it."""

import time
import warnings
from datetime import UTC, datetime
from typing import Any

from authlib.oauth2.rfc7523 import PrivateKeyJWT

from tests.api import Api
from tests.oauth.apps import BASE, CALLBACK, TOKEN_URL, Page, Register
from tests.oauth.test_backend import EHR, made

with warnings.catch_warnings(record=True):  # Authlib says on import that it will leave httpx one day
    from authlib.integrations.httpx_client import AsyncOAuth2Client

SCOPE = "openid fhirUser launch/patient online_access user/Patient.rs"


async def test_a_confidential_app_by_authlib(shared: Api, register: Register) -> None:
    app = await register(shared, "confidential-symmetric", redirect_uris=(CALLBACK,))
    client: Any = AsyncOAuth2Client(
        app.name, app.secret, scope=SCOPE, redirect_uri=CALLBACK, code_challenge_method="S256", event_hooks=shared.http.event_hooks
    )
    async with client:
        address, _ = client.create_authorization_url("http://127.0.0.1:8000/oauth/authorize", code_verifier=app.verifier, aud=BASE)
        page = Page(await app.http.get(address))
        page = Page(await app.follow(await app.sign_in(page)))
        page = Page(await app.choose(page, "ana"))
        back = (await app.submit(page, decision="allow")).headers["location"]
        token = await client.fetch_token(TOKEN_URL, authorization_response=back, code_verifier=app.verifier)
        assert (token["patient"], (await client.get(f"{BASE}/Patient/ana")).status_code) == ("ana", 200)
        again = await client.refresh_token(TOKEN_URL)
        assert again["refresh_token"] != token["refresh_token"]
        assert (await client.introspect_token("http://127.0.0.1:8000/oauth/introspect", token=again["access_token"])).json()["active"]
        assert (await client.revoke_token("http://127.0.0.1:8000/oauth/revoke", token=again["access_token"])).status_code == 200
        assert (await client.get(f"{BASE}/Patient/ana")).status_code == 401


async def test_a_backend_by_authlib(api: Api, register: Register) -> None:
    key = made("RS384")
    app = await register(api, "backend", key=key, **EHR)
    client: Any = AsyncOAuth2Client(
        app.name, key.key.to_pem().decode(), token_endpoint_auth_method="private_key_jwt", event_hooks=api.http.event_hooks
    )
    client.register_client_auth_method(PrivateKeyJWT(TOKEN_URL, {"exp": int(time.time()) + 240}, {"kid": key.kid}, alg="RS384"))
    api.clock.set(datetime.now(UTC))  # Authlib looks at the machine's clock
    async with client:
        token = await client.fetch_token(TOKEN_URL, grant_type="client_credentials", scope="system/Patient.rs")
    assert token["scope"] == "recovery/ehr system/Patient.rs"
