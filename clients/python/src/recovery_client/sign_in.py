"""How a person signs in to an app: SMART App Launch with PKCE, S256 (https://hl7.org/fhir/smart-app-launch)."""
import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx


class SignInFailed(Exception):
    """The server, or somebody else, sent back something other than a code for this sign-in."""


@dataclass(frozen=True)
class SignIn:
    """One sign-in that was begun: send the person's browser to `url`, and keep the rest until they come back."""

    url: str
    state: str
    verifier: str
    token_url: str
    client_id: str
    redirect_uri: str

    def finish(self, came_back_to: str, http: httpx.Client) -> dict[str, Any]:
        """The token answer (access_token, expires_in, scope, patient …) for the address that the browser came back to. Raises SignInFailed."""
        said = {name: values[0] for name, values in parse_qs(urlsplit(came_back_to).query).items()}
        if not secrets.compare_digest(said.get("state", ""), self.state) or "code" not in said:
            raise SignInFailed(said.get("error_description") or said.get("error") or "another sign-in's answer")
        form = {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": self.redirect_uri}
        answer = http.post(self.token_url, data={**form, "client_id": self.client_id, "code_verifier": self.verifier})
        return answer.raise_for_status().json()


def begin(fhir: str, client_id: str, redirect_uri: str, scope: str, http: httpx.Client) -> SignIn:
    """Begin a sign-in to the FHIR base `fhir`, whose addresses are discovered."""
    found = http.get(f"{fhir}/.well-known/smart-configuration").raise_for_status().json()
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": scope, "aud": fhir}
    query = urlencode({**asked, "state": state, "code_challenge": challenge, "code_challenge_method": "S256"})
    return SignIn(f"{found['authorization_endpoint']}?{query}", state, verifier, found["token_endpoint"], client_id, redirect_uri)
