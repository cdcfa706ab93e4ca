"""Which API client is asking: by secret, by a signed assertion, or by name alone (RFC 6749, section 2.3; RFC 7521, section 4.2)."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_plus

from recovery_api.fhir.errors import BadRequest
from recovery_api.identity.assertions import TYPE, Assertions
from recovery_api.identity.oauth_errors import OAuthError
from recovery_api.identity.registrations import WITH_KEYS, Registration, Registrations
from recovery_api.identity.secret_texts import is_same
from recovery_api.identity.tokens import opened


class _Proof(NamedTuple):
    """What a request brings: the client's name, and one of a secret and an assertion, or neither."""

    client_id: str
    secret: str | None = None
    assertion: str | None = None


class ClientAuthentication:
    """Finds out which registered API client sent a request."""

    def __init__(self, registrations: Registrations, assertions: Assertions) -> None:
        self._registrations = registrations
        self._assertions = assertions

    async def client(self, params: Mapping[str, str], authorization: str | None) -> Registration:
        """The API client, which proved what its kind must prove. `authorization` is the header of that name.

        Raises OAuthError (invalid_client, invalid_request).
        """
        proof = _proof(params, authorization)
        found = await self._registrations.find(proof.client_id)
        if found is None or not await self._is_proved(proof, found):
            raise OAuthError("invalid_client", "The client is unknown, or did not authenticate as it was registered to.")
        return found

    async def _is_proved(self, proof: _Proof, found: Registration) -> bool:
        if found.kind in WITH_KEYS:
            return proof.assertion is not None and await self._assertions.proves(proof.assertion, found)
        if found.kind == "confidential-symmetric":
            return proof.secret is not None and is_same(proof.secret, found.secret or "")
        return proof.secret is None and proof.assertion is None


def _proof(params: Mapping[str, str], authorization: str | None) -> _Proof:
    ways = (authorization is not None, "client_secret" in params, "client_assertion" in params or "client_assertion_type" in params)
    if sum(ways) > 1:
        raise OAuthError("invalid_request", "A client authenticates in one way.")
    if authorization is not None:
        proof = _basic(authorization)
    elif ways[2]:
        proof = _asserted(params)
    else:
        proof = _Proof(params.get("client_id", ""), params.get("client_secret"))
    if params.get("client_id", proof.client_id) != proof.client_id:
        raise OAuthError("invalid_client", "client_id is not the client that authenticated.")
    return proof


def _basic(authorization: str) -> _Proof:
    scheme, _, credentials = authorization.partition(" ")
    try:
        name, colon, secret = b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        name, colon, secret = "", "", ""
    if scheme.lower() != "basic" or not colon:
        raise OAuthError("invalid_client", "The Authorization header holds no client_id and secret.")
    return _Proof(unquote_plus(name), unquote_plus(secret))


def _asserted(params: Mapping[str, str]) -> _Proof:
    assertion = params.get("client_assertion", "")
    try:
        _, payload = opened(assertion)
    except (BadRequest, ValueError):
        payload = {}
    if params.get("client_assertion_type") != TYPE or not isinstance(payload.get("sub"), str):
        raise OAuthError("invalid_client", "The client assertion is none.")
    return _Proof(payload["sub"], assertion=assertion)
