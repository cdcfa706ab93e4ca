"""Tokens for grants and for systems; introspection (RFC 7662) and revocation (RFC 7009)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from uuid_utils import uuid7

from recovery_api.fhir.errors import Unauthorized
from recovery_api.fhir.json import JsonObject
from recovery_api.identity.accounts import Account, Accounts
from recovery_api.identity.claims import MICROSECONDS
from recovery_api.identity.client_authentication import ClientAuthentication
from recovery_api.identity.events import Record, TokenIssued, TokenRefused, TokenRevoked
from recovery_api.identity.grants import Grant, Grants
from recovery_api.identity.narrowing import asked_for, is_within, narrowed
from recovery_api.identity.oauth_errors import OAuthError
from recovery_api.identity.registrations import Registration
from recovery_api.identity.revocations import Revocations
from recovery_api.identity.scopes import Scopes
from recovery_api.identity.sessions import Sessions
from recovery_api.identity.tokens import Tokens, opened

MOST_FOR_STAFF: Final = 900
MOST_FOR_SYSTEMS: Final = 300
"""Seconds that an access token lasts at most."""

Params = Mapping[str, str]


class TokenEndpoint:
    """Answers the token, introspection and revocation endpoints."""

    def __init__(
        self,
        authentication: ClientAuthentication,
        accounts: Accounts,
        sessions: Sessions,
        grants: Grants,
        tokens: Tokens,
        revocations: Revocations,
        may: Callable[[str], Mapping[str, str]],
        record: Record,
        *,
        issuer: str,
        base: str,
        token_ttl: int,
    ) -> None:
        """`may` gives the letters that a role may ever use, by type; `token_ttl` is in seconds."""
        self._authentication = authentication
        self._accounts = accounts
        self._sessions = sessions
        self._grants = grants
        self._tokens = tokens
        self._revocations = revocations
        self._may = may
        self._record = record
        self._issuer = issuer
        self._base = base
        self._token_ttl = token_ttl
        self._kinds: Mapping[str, Callable[[Params, Registration], Awaitable[JsonObject]]] = {
            "authorization_code": self._by_code,
            "refresh_token": self._by_refresh_token,
            "client_credentials": self._by_client_credentials,
        }

    async def token(self, pairs: Iterable[tuple[str, str]], authorization: str | None) -> JsonObject:
        """The answer of the token endpoint to a form. Raises OAuthError."""
        params: Params = {}
        try:
            params = single(pairs)
            return await self._answer(params, authorization)
        except OAuthError as error:
            said = TokenRefused(params.get("client_id", ""), params.get("grant_type", ""), error.error, error.description)
            await self._record(said)
            raise

    async def _answer(self, params: Params, authorization: str | None) -> JsonObject:
        grant_type = needed(params, "grant_type")
        if grant_type not in self._kinds:
            raise OAuthError("unsupported_grant_type", f"grant_type is one of {', '.join(self._kinds)}.")
        client = await self._authentication.client(params, authorization)
        if (client.kind == "backend") != (grant_type == "client_credentials"):
            raise OAuthError("unauthorized_client", "The client is not registered for this grant_type.")
        return await self._kinds[grant_type](params, client)

    async def introspect(self, pairs: Iterable[tuple[str, str]], authorization: str | None) -> JsonObject:
        """What a token says, to an API client that authenticated. Raises OAuthError."""
        params = single(pairs)
        client = await self._authentication.client(params, authorization)
        if client.kind == "public":
            raise OAuthError("invalid_client", "Who asks about tokens must authenticate.")
        payload = await self._active(needed(params, "token"))
        if payload is None:
            return {"active": False}
        told = ("scope", "client_id", "exp", "iat", "iss", "sub", "aud", "jti", "patient", "encounter")
        said = {"active": True, "token_type": "Bearer", **{name: payload[name] for name in told if name in payload}}
        return said | ({"fhirUser": f"{self._base}/{payload['fhirUser']}"} if "fhirUser" in payload else {})

    async def revoke(self, pairs: Iterable[tuple[str, str]], authorization: str | None) -> None:
        """End what a token of the client was issued under; one that is not known, or not the client's, changes nothing.

        Raises OAuthError.
        """
        params = single(pairs)
        client = await self._authentication.client(params, authorization)
        token = needed(params, "token")
        grant = await self._grants.of_refresh_token(token)
        payload = None if grant else await self._active(token)
        if payload is not None and payload.get("client_id") == client.client_id:
            grant = await self._grants.find(payload.get("grant", ""))
            if grant is None:
                await self._record(TokenRevoked(client.client_id, payload["jti"], "revocation"))
                await self._revocations.add(payload["jti"], until=int(payload["exp"]) * MICROSECONDS)
        if grant is not None and grant.client_id == client.client_id:
            await self._grants.end(grant, "revocation")

    async def _active(self, token: str) -> JsonObject | None:
        """The payload of an access token of ours that counts now."""
        try:
            claims = await self._tokens.verify(token)
        except Unauthorized:
            return None
        if claims.issuer != self._issuer or await self._revocations.include((claims.jti, claims.grant, claims.client_id)):
            return None
        return opened(token)[1]

    async def _by_code(self, params: Params, client: Registration) -> JsonObject:
        code, redirect_uri = needed(params, "code"), needed(params, "redirect_uri")
        grant = await self._grants.redeem(code, client.client_id, redirect_uri, params.get("code_verifier", ""))
        return await self._issued(grant, await self._holder(grant), Scopes.parse(grant.scope), "authorization_code")

    async def _by_refresh_token(self, params: Params, client: Registration) -> JsonObject:
        refresh_token = needed(params, "refresh_token")
        grant = await self._grants.find_refreshable(refresh_token, client.client_id)
        account, granted = await self._holder(grant), Scopes.parse(grant.scope)
        scopes = asked_for(params["scope"]) if "scope" in params else granted
        if not is_within(scopes, granted):
            raise OAuthError("invalid_scope", "The scope is wider than what was granted.")
        await self._grants.spend(refresh_token, grant)
        return await self._issued(grant, account, Scopes(granted.roles, scopes.resources, scopes.others, ()), "refresh_token")

    async def _by_client_credentials(self, params: Params, client: Registration) -> JsonObject:
        role = client.role or ""
        scopes = narrowed(asked_for(needed(params, "scope")), client.scope, role, self._may(role))
        claims = {"sub": client.client_id, "client_id": client.client_id, "organization": client.organization, "scope": str(scopes)}
        lifetime = min(self._token_ttl, MOST_FOR_SYSTEMS)
        return await self._minted(claims, lifetime, "client_credentials")

    async def _holder(self, grant: Grant) -> Account:
        """Whose grant it is, if they may still sign in, and are still signed in where it gives access only as long."""
        account = await self._accounts.find(grant.username)
        online = not grant.has("online_access") or grant.has("offline_access") or await self._sessions.find_by_key(grant.session)
        if account is None or account.fhir_user != grant.subject or not online:
            raise OAuthError("invalid_grant", "The person is not signed in any more.")
        return account

    async def _issued(self, grant: Grant, account: Account, scopes: Scopes, grant_type: str) -> JsonObject:
        """The whole answer for a grant."""
        lifetime = min(self._token_ttl, MOST_FOR_STAFF) if account.is_staff else self._token_ttl
        claims = {
            "sub": grant.subject,
            "fhirUser": account.fhir_user,
            "client_id": grant.client_id,
            "organization": account.organization,
            "patient": grant.patient,
            "encounter": grant.encounter,
            "grant": grant.id,
            "scope": str(scopes),
            "medical_personnel": account.medical_personnel or None,
        }
        said = await self._minted(claims, lifetime, grant_type)
        if grant.has("offline_access") or grant.has("online_access"):
            said["refresh_token"] = await self._grants.new_refresh_token(grant)
        if "openid" in scopes.others:
            said["id_token"] = self._id_token(grant, account, scopes, lifetime)
        context = {"patient": grant.patient, "encounter": grant.encounter, "need_patient_banner": True if grant.patient else None}
        said |= {name: value for name, value in context.items() if value is not None}
        if grant.context:
            said["fhirContext"] = [{"reference": reference} for reference in grant.context]
        return said | {"smart_style_url": f"{self._issuer}/oauth/smart-style.json"}

    async def _minted(self, claims: Mapping[str, str | bool | None], lifetime: int, grant_type: str) -> JsonObject:
        said: JsonObject = {name: value for name, value in claims.items() if value is not None} | {"jti": str(uuid7())}
        await self._record(TokenIssued(said["client_id"], said["sub"], grant_type, said["scope"], said["jti"], said.get("patient")))
        return {
            "access_token": self._tokens.mint(said, lifetime),
            "token_type": "Bearer",
            "expires_in": lifetime,
            "scope": said["scope"],
        }

    def _id_token(self, grant: Grant, account: Account, scopes: Scopes, lifetime: int) -> str:
        claims: JsonObject = {"sub": grant.subject, "aud": grant.client_id, "auth_time": grant.authenticated // MICROSECONDS}
        if {"fhirUser", "profile"} & set(scopes.others):
            claims["fhirUser"] = f"{self._base}/{account.fhir_user}"
        return self._tokens.mint_id_token(claims | ({"nonce": grant.nonce} if grant.nonce else {}), lifetime)


def single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters of a form; without a value they count as left out. Raises OAuthError where one is repeated (RFC 6749, 3.2)."""
    params: dict[str, str] = {}
    for name, value in pairs:
        if value and name in params:
            raise OAuthError("invalid_request", "A parameter is repeated.")
        if value:
            params[name] = value
    return params


def needed(params: Params, name: str) -> str:
    """The value of a parameter. Raises OAuthError where it is left out."""
    if name not in params:
        raise OAuthError("invalid_request", f"{name} is needed.")
    return params[name]
