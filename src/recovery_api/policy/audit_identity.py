"""What the authorization server did, as facts for the audit."""
from recovery_api.identity.events import Decision, Event, SignIn, SignOut, TokenIssued, TokenRefused, TokenRevoked
from recovery_api.identity.scopes import Scopes
from recovery_api.policy.audit import Facts

GRANT_TYPES = frozenset({"authorization_code", "refresh_token", "client_credentials"})


def told(event: Event) -> Facts:
    """The facts of an event."""
    match event:
        case SignIn(username, address, succeeded, fhir_user):
            who = fhir_user or username
            status = 200 if succeeded else 401
            return Facts(kind="sign-in", action="sign-in", status=status, permitted=succeeded, holder=who, address=address)
        case SignOut(username):
            return Facts(kind="sign-out", action="sign-out", holder=username)
        case Decision(username, client_id, scope, patient):
            return _token("authorize", username, client_id, scope, patient=patient, permitted=bool(scope))
        case TokenIssued(client_id, subject, grant_type, scope, jti, patient):
            return _token(grant_type, subject, client_id, scope, jti=jti, patient=patient)
        case TokenRefused(client_id, grant_type):
            return _token(grant_type if grant_type in GRANT_TYPES else "other", "", client_id, "", permitted=False)
        case TokenRevoked(client_id, mark, why):
            return _token(why, "", client_id, "", jti=mark)


def _token(
    action: str, holder: str, client_id: str, scope: str, *, jti: str = "", patient: str | None = None, permitted: bool = True
) -> Facts:
    """`jti` is the token's, never the token."""
    return Facts(
        kind="token",
        action=action,
        status=200 if permitted else 400,
        permitted=permitted,
        holder=holder,
        role=next(iter(Scopes.parse(scope).roles), ""),
        client_id=client_id,
        token=jti,
        patients=(patient.removeprefix("Patient/"),) if patient else (),
    )
