"""A real OpenID provider, in a process of its own, whose tokens are taken (issue 3, external identity providers)."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from recovery_api.identity.published_keys import USUALLY_KEPT
from tests.api import Api, Client, serving
from tests.databases import Databases
from tests.program import PATIENCE, free_port

APP, CALLBACK = "recovery-portal", "http://127.0.0.1:9/callback"
PEOPLE = {
    "u-1": {"groups": ["staff", "peer-companions"], "fhir": "Practitioner/maya", "org": "org-cir", "jti": "one"},
    "u-2": {"groups": ["staff"], "fhir": "Practitioner/leo", "org": "org-cir", "jti": "two"},
    "u-3": {"groups": ["riverbend-therapists"], "fhir": "Practitioner/chen", "org": "org-riverbend", "jti": "three"},
}


@contextmanager
def provider(port: int) -> Iterator[httpx.Client]:
    """The provider, with its people, until the end of the block; each has a key of its own."""
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--token-max-age", "10000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            deadline = time.monotonic() + PATIENCE
            while not answers(http):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            for name, claims in PEOPLE.items():
                assert http.put(f"/users/{name}", json=claims).is_success
            yield http
    finally:
        process.terminate()
        process.wait(PATIENCE)


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/.well-known/openid-configuration").is_success
    except httpx.TransportError:
        return False


def id_token(http: httpx.Client, name: str, app: str = APP) -> str:
    """What the provider gives to the app when somebody signs in there."""
    asked = {"client_id": app, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": "s"}
    back = http.post("/oauth2/authorize", params=asked, data={"sub": name})
    [code] = parse_qs(urlsplit(back.headers["location"]).query)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    return http.post("/oauth2/token", data=form, auth=(app, "secret")).json()["id_token"]


def trusting(port: int) -> dict[str, Any]:
    origin = f"http://127.0.0.1:{port}"
    trusted = {
        "issuer": origin,
        "audience": APP,
        "claims": {"role": "groups", "fhirUser": "fhir", "organization": "org"},
        "roles": {"peer-companions": "companion", "riverbend-therapists": "treatment-team"},
    }
    return {"TRUSTED_ISSUERS": json.dumps([trusted]), "ALLOWED_PRIVATE_ENDPOINTS": origin}


async def read(api: Api, token: str, path: str) -> int:
    return (await Client(api.http, token).get(path)).status


@pytest.mark.slow
async def test_a_token_of_a_real_provider_is_taken_and_its_new_keys_are_followed(
    databases: Databases, world_template: str, tmp_path: Path
) -> None:
    port, url = free_port(), databases.clone(world_template)
    async with serving(url, tmp_path, **trusting(port)) as api:
        api.clock.set(datetime.now(UTC))
        with provider(port) as http:
            maya, leo, chen = (id_token(http, name) for name in ("u-1", "u-2", "u-3"))
            assert await read(api, maya, "Patient/ana") == 200
            assert await read(api, maya, "Patient/ben") == 404
            assert await read(api, chen, "Patient/ana") == 200
            assert await read(api, chen, "Patient/eve") == 404
            assert await read(api, leo, "Patient/ben") == 401  # no group of his means a role
            assert await read(api, id_token(http, "u-1", "another-app"), "Patient/ana") == 401
            assert await read(api, f"{maya[:-6]}AAAAAA", "Patient/ana") == 401
        with provider(port) as http:
            anew = id_token(http, "u-1")
            assert await read(api, anew, "Patient/ana") == 401  # tokens of this provider name no kid: nothing tells that there is a new key
            api.clock.move(seconds=USUALLY_KEPT)
            assert await read(api, anew, "Patient/ana") == 200
            api.running.callers.forget()
            assert await read(api, maya, "Patient/ana") == 401
    databases.drop(url)
