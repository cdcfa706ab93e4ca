"""The errors of OAuth 2.0 (RFC 6749, sections 4.1.2.1 and 5.2; RFC 6750 and OpenID Connect Core add some)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """What an error stands for, and the HTTP status where it is not told by way of the browser."""

    says: str
    status: int = 400


ERRORS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "access_denied": Meaning("The person, or what is known of them, does not allow it."),
        "consent_required": Meaning("The person must be asked, and the app asked to show no page (prompt=none)."),
        "invalid_client": Meaning("The client is unknown, or did not authenticate as it was registered to.", 401),
        "invalid_grant": Meaning("The code, refresh token or assertion is not good, or not good any more."),
        "invalid_request": Meaning("A parameter is missing, repeated or wrong."),
        "invalid_scope": Meaning("The scope is malformed, wider than what was granted, or not for this account or client."),
        "login_required": Meaning("Nobody is signed in, and the app asked to show no page (prompt=none)."),
        "request_not_supported": Meaning("Request objects are not taken."),
        "server_error": Meaning("The server met an unexpected condition.", 500),
        "temporarily_unavailable": Meaning("The server can't do that at the moment; try again.", 503),
        "unauthorized_client": Meaning("The client is not registered for this grant_type."),
        "unsupported_grant_type": Meaning("The grant_type is none of this server's."),
        "unsupported_response_type": Meaning("The response_type is not code."),
    }
)


class OAuthError(Exception):
    """A request that is refused; `error` is one of the standard's codes, `description` one sentence in ASCII without quotes."""

    def __init__(self, error: str, description: str) -> None:
        self.error = error
        self.description = description
        super().__init__(f"{error}: {description}")

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return ERRORS[self.error].status
