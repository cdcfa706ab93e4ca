"""How a system signs in: SMART Backend Services, client_credentials with private_key_jwt (https://hl7.org/fhir/smart-app-launch)."""
import time
import uuid
from collections.abc import Generator

import httpx
import jwt

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EARLY = 30
"""Seconds before a token ends at which a new one is asked for."""


class Backend(httpx.Auth):
    """Authentication for httpx, and so for the generated client: `Client(base_url, httpx_args={"auth": Backend(...)})`."""

    requires_response_body = True

    def __init__(self, token_url: str, client_id: str, key: str, kid: str, scope: str, algorithm: str = "ES384") -> None:
        """Take the private key as PEM, its id in the registered JWK Set, and the scopes to ask for."""
        self._token_url, self._client_id, self._scope = token_url, client_id, scope
        self._key, self._kid, self._algorithm = key, kid, algorithm
        self._token, self._until = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with a token that holds; raises httpx.HTTPStatusError where none is given."""
        if time.time() > self._until - EARLY:
            answer = yield httpx.Request("POST", self._token_url, data=self._form())
            said = answer.raise_for_status().json()
            self._token, self._until = said["access_token"], time.time() + said["expires_in"]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request

    def _form(self) -> dict[str, str]:
        now = int(time.time())
        claims = {"iss": self._client_id, "sub": self._client_id, "aud": self._token_url, "exp": now + 240, "jti": str(uuid.uuid4())}
        assertion = jwt.encode(claims, self._key, algorithm=self._algorithm, headers={"kid": self._kid})
        said = {"grant_type": "client_credentials", "scope": self._scope}
        return {**said, "client_assertion_type": ASSERTION, "client_assertion": assertion}
