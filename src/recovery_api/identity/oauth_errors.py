"""The errors of OAuth 2.0 (RFC 6749, sections 4.1.2.1 and 5.2; RFC 6750 and OpenID Connect Core add some)."""

from typing import Final

STATUS: Final = {"invalid_client": 401, "server_error": 500, "temporarily_unavailable": 503}
"""The HTTP status of an error where it is not 400."""


class OAuthError(Exception):
    """A request that is refused; `error` is one of the standard's codes, `description` one sentence in ASCII without quotes."""

    def __init__(self, error: str, description: str) -> None:
        self.error = error
        self.description = description
        super().__init__(f"{error}: {description}")

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return STATUS.get(self.error, 400)
