"""The embedded authorization server, put together: what the pages, the endpoints and the commands work with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from recovery_api.fhir.json import JsonObject
from recovery_api.identity.accounts import Accounts
from recovery_api.identity.assertions import Assertions
from recovery_api.identity.authorization_endpoint import AuthorizationEndpoint
from recovery_api.identity.authorize import Authorize
from recovery_api.identity.client_authentication import ClientAuthentication
from recovery_api.identity.discovery import endpoints as addresses
from recovery_api.identity.endpoints import Endpoints
from recovery_api.identity.events import Record, SignOut, unrecorded
from recovery_api.identity.grants import Grants
from recovery_api.identity.keys import KeyRing, Sealer
from recovery_api.identity.launches import Launches
from recovery_api.identity.ledger import NEVER, Ledger
from recovery_api.identity.registrations import Registrations
from recovery_api.identity.revocations import Revocations
from recovery_api.identity.second_factor import SecondFactor
from recovery_api.identity.sessions import Session, Sessions
from recovery_api.identity.token_endpoint import TokenEndpoint
from recovery_api.identity.tokens import Tokens


@dataclass(frozen=True)
class AuthorizationServer:
    """Its parts, and the acts that concern several of them."""

    issuer: str
    keys: KeyRing
    accounts: Accounts
    registrations: Registrations
    launches: Launches
    second_factor: SecondFactor
    sessions: Sessions
    authorization: AuthorizationEndpoint
    token: TokenEndpoint
    pages: Sealer
    """Seals what pages carry from one to the next."""
    revocations: Revocations
    grants: Grants
    record: Record

    def jwks(self) -> JsonObject:
        """The public keys, one for id tokens (RS256) among them."""
        self.keys.signing("RS256")
        return dict(self.keys.jwks())

    async def sign_out(self, session: Session) -> None:
        """End a session, and what apps may do only while it lasts."""
        await self.record(SignOut(session.username, everywhere=False))
        await self.sessions.close(session)
        await self.grants.end_all(session.username, "sign-out", session.key)

    async def sign_out_everywhere(self, username: str) -> None:
        """End all sessions of an account, and all that apps may do in its name."""
        await self.record(SignOut(username, everywhere=True))
        await self.sessions.close_all(username)
        await self.grants.end_all(username, "sign-out")

    async def disable(self, username: str) -> None:
        """Nobody signs in with the account any more, and all that it opened is closed. Raises AccountRefused."""
        account = await self.accounts.change(username, disabled=True)
        await self.sign_out_everywhere(account.username)

    async def set_password(self, username: str, password: str) -> None:
        """Another password; whoever was signed in with the old one is not any more. Raises AccountRefused or PasswordRefused."""
        await self.accounts.set_password(username, password)
        await self.sign_out_everywhere(username.strip().lower())

    async def revoke_client(self, client_id: str) -> None:
        """The API client gets no more tokens, and those that it has count no more. Raises RegistrationRefused."""
        await self.registrations.revoke(client_id)
        await self.revocations.add(client_id, until=NEVER)


def authorization_server(
    ledger: Ledger,
    keys: KeyRing,
    tokens: Tokens,
    endpoints: Endpoints,
    clock: Callable[[], int],
    may: Callable[[str], Mapping[str, str]],
    *,
    issuer: str,
    base: str,
    token_ttl: int,
    require_second_factor: bool,
    record: Record = unrecorded,
    pause: Callable[[float], Awaitable[None]] | None = None,
) -> AuthorizationServer:
    """The authorization server of one issuer. `record` keeps what it does in the audit, before it is answered."""
    revocations = Revocations(ledger, clock, pause) if pause else Revocations(ledger, clock)
    registrations, accounts = Registrations(ledger, base, clock), Accounts(ledger, base, clock)
    second_factor = SecondFactor(ledger, Sealer(keys.secret("second-factors")), clock)
    sessions = Sessions(ledger, accounts, second_factor, clock, record, require_second_factor=require_second_factor)
    launches = Launches(Sealer(keys.secret("launches")), clock)
    grants = Grants(ledger, revocations, clock, token_ttl, record)
    assertions = Assertions(ledger, endpoints, addresses(issuer)["token_endpoint"], clock)
    authentication = ClientAuthentication(registrations, assertions)
    return AuthorizationServer(
        issuer=issuer,
        keys=keys,
        accounts=accounts,
        registrations=registrations,
        launches=launches,
        second_factor=second_factor,
        sessions=sessions,
        authorization=AuthorizationEndpoint(Authorize(registrations, launches, issuer, base), grants, ledger, may, record),
        token=TokenEndpoint(
            authentication, accounts, sessions, grants, tokens, revocations, may, record, issuer=issuer, base=base, token_ttl=token_ttl
        ),
        pages=Sealer(keys.secret("pages")),
        revocations=revocations,
        grants=grants,
        record=record,
    )
