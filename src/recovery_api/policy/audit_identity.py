"""What the authorization server did, as facts for the audit."""
from recovery_api.identity.events import Decision, Event, SignIn, SignOut, TokenIssued, TokenRefused, TokenRevoked
from recovery_api.identity.scopes import Scopes
from recovery_api.policy.audit import Facts, signed_in, signed_out, token_given


def told(event: Event) -> Facts:
    """The facts of an event."""
    match event:
        case SignIn(username, address, succeeded, fhir_user):
            return signed_in(holder=fhir_user or username, role="", address=address, permitted=succeeded)
        case SignOut(username):
            return signed_out(holder=username, role="")
        case Decision(username, client_id, scope, patient):
            return _token("authorize", username, client_id, scope, patient=patient, permitted=bool(scope))
        case TokenIssued(client_id, subject, grant_type, scope, jti, patient):
            return _token(grant_type, subject, client_id, scope, jti=jti, patient=patient)
        case TokenRefused(client_id, grant_type):
            return _token(grant_type, "", client_id, "", permitted=False)
        case TokenRevoked(client_id, mark, why):
            return _token(why, "", client_id, "", jti=mark)


def _token(
    action: str, holder: str, client_id: str, scope: str, *, jti: str = "", patient: str | None = None, permitted: bool = True
) -> Facts:
    roles = Scopes.parse(scope).roles
    patients = [patient.removeprefix("Patient/")] if patient else []
    role = roles[0] if roles else ""
    return token_given(
        action=action, holder=holder, role=role, client_id=client_id, token=jti, patients=patients, permitted=permitted
    )
