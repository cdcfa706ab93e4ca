"""From an authorization request to a code: what the account may grant, with which patient, and what the person decided."""

from collections.abc import Callable, Mapping

from recovery_api.identity.accounts import Account
from recovery_api.identity.authorize import AuthorizationRequest, Authorize, Refused
from recovery_api.identity.events import Decision, Record
from recovery_api.identity.grants import Grant, Grants
from recovery_api.identity.ledger import Ledger
from recovery_api.identity.narrowing import asked_for, narrowed
from recovery_api.identity.oauth_errors import OAuthError
from recovery_api.identity.registrations import Registration
from recovery_api.identity.scopes import Scopes
from recovery_api.identity.secret_texts import digest
from recovery_api.identity.sessions import LIFETIME, Session


class AuthorizationEndpoint:
    """What may be granted, and the answer to the API client."""

    def __init__(
        self, authorize: Authorize, grants: Grants, ledger: Ledger, may: Callable[[str], Mapping[str, str]], record: Record
    ) -> None:
        """`may` gives the letters that a role may ever use, by type."""
        self.authorize = authorize
        self._grants = grants
        self._ledger = ledger
        self._may = may
        self._record = record

    def offered(self, request: AuthorizationRequest, client: Registration, account: Account) -> Scopes:
        """All that this account could grant of what is asked for. Raises Refused."""
        if (client.role and client.role != account.role) or (request.launch and request.launch.fhir_user != account.fhir_user):
            raise self.refused(request, OAuthError("access_denied", "The app is not for this person."))
        try:
            return narrowed(asked_for(request.scope), client.scope, account.role, self._may(account.role))
        except OAuthError as error:
            raise self.refused(request, error) from error

    def patient(self, request: AuthorizationRequest, account: Account) -> str | None:
        """The patient that is known without asking: the client's own, or the one of the launch. Raises Refused."""
        launched = request.launch.patient if request.launch else None
        if account.patient and launched and launched != account.patient:
            raise self.refused(request, OAuthError("access_denied", "The patient is not of this person."))
        return account.patient or launched

    def refused(self, request: AuthorizationRequest, error: OAuthError) -> Refused:
        """The refusal of a request."""
        return Refused(self.authorize.refusal(request.redirect_uri, request.state, error), error)

    async def approve(
        self, request: AuthorizationRequest, session: Session, account: Account, scopes: Scopes, patient: str | None
    ) -> str:
        """Grant the scopes, and give where the browser goes with the code. Raises Refused for a launch that was used before."""
        launch = request.launch
        if launch and not await self._ledger.add("launch", digest(request.launch_value or ""), expires=launch.expires):
            raise self.refused(request, OAuthError("invalid_request", "launch was used before."))
        grant = Grant(
            client_id=request.client_id,
            username=account.username,
            subject=account.fhir_user,
            scope=str(scopes),
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
            authenticated=session.authenticated,
            session=session.key,
            nonce=request.nonce,
            patient=patient,
            encounter=launch.encounter if launch else None,
            context=launch.context if launch else (),
        )
        await self._record(Decision(account.username, request.client_id, grant.scope, patient))
        code = await self._grants.begin(grant, session.authenticated + LIFETIME)
        return self.authorize.answer(request.redirect_uri, request.state, {"code": code})

    async def deny(self, request: AuthorizationRequest, account: Account) -> str:
        """Where the browser goes when the person said no."""
        await self._record(Decision(account.username, request.client_id, ""))
        error = OAuthError("access_denied", "The person did not allow it.")
        return self.authorize.refusal(request.redirect_uri, request.state, error)


def needs_patient(scopes: Scopes) -> bool:
    """Whether a patient must be chosen for these scopes."""
    return "launch/patient" in scopes.others or any(scope.context == "patient" for scope in scopes.resources)
