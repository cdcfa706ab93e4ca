"""What an API client gets of what it asks for: no more than was registered for it, and than the role may ever have."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from recovery_api.identity.actor import ROLES
from recovery_api.identity.oauth_errors import OAuthError
from recovery_api.identity.scopes import LETTERS, ResourceScope, Scopes

IDENTITY: Final = frozenset({"openid", "fhirUser", "profile"})
LAUNCH: Final = frozenset({"launch", "launch/patient", "launch/encounter"})
REFRESH: Final = frozenset({"offline_access", "online_access"})
KNOWN: Final = IDENTITY | LAUNCH | REFRESH


def asked_for(text: str) -> Scopes:
    """The scopes that a request names. Raises OAuthError (invalid_scope) for what is no scope, and for more than one role."""
    scopes = Scopes.parse(text)
    if scopes.malformed:
        raise OAuthError("invalid_scope", "A scope is not written as SMART App Launch 2.2 says.")
    if len(scopes.roles) > 1 or any(role not in ROLES for role in scopes.roles):
        raise OAuthError("invalid_scope", "A token has exactly one role.")
    return scopes


def narrowed(asked: Scopes, registered: str, role: str, may: Mapping[str, str]) -> Scopes:
    """The scopes that are granted, the role's own first. `registered` is what the client is limited to ('': nothing but the role),
    `may` the letters that the role may ever use, by type.

    Raises OAuthError (invalid_scope) where the request names another role, or nothing is left of it.
    """
    if asked.roles and asked.roles != (role,):
        raise OAuthError("invalid_scope", "The role is not the one of this account or registration.")
    limit = Scopes.parse(registered) if registered else None
    within = _merged(_limited(_allowed(asked.resources, ROLES[role].contexts, may), limit))
    possible = KNOWN - ({"offline_access"} if role != "client" else set()) if not ROLES[role].system else frozenset[str]()
    others = tuple(word for word in asked.others if word in possible and (limit is None or word in limit.others))
    if not within and not others:
        raise OAuthError("invalid_scope", "Nothing of what is asked for can be granted.")
    return Scopes((role,), within, others, ())


def is_within(scopes: Scopes, granted: Scopes) -> bool:
    """Whether a grant holds all of the scopes (RFC 6749, section 6)."""
    openings = [(one.context, one.type, one.query, letter) for one in granted.resources for letter in one.letters]
    wanted = [(one.context, one.type, one.query, letter) for one in scopes.resources for letter in one.letters]
    return set(wanted) <= set(openings) and set(scopes.others) <= set(granted.others) and set(scopes.roles) <= set(granted.roles)


def _allowed(scopes: Iterable[ResourceScope], contexts: tuple[str, ...], may: Mapping[str, str]) -> Iterator[ResourceScope]:
    """The scopes type by type, with the letters that the role may ever use."""
    for scope in scopes:
        if scope.context in contexts:
            for type_ in may if scope.type == "*" else (scope.type,):
                yield scope._replace(type=type_, letters=_both(scope.letters, may.get(type_, "")))


def _limited(scopes: Iterable[ResourceScope], limit: Scopes | None) -> Iterator[ResourceScope]:
    """The scopes as far as they were registered: a registered query narrows a scope that has none."""
    for scope in scopes:
        if limit is None:
            yield scope
            continue
        for one in limit.resources:
            if one.context == scope.context and one.type in {scope.type, "*"} and (not one.query or scope.query in {"", one.query}):
                yield scope._replace(letters=_both(scope.letters, one.letters), query=scope.query or one.query)


def _merged(scopes: Iterable[ResourceScope]) -> tuple[ResourceScope, ...]:
    letters: dict[ResourceScope, str] = {}
    for scope in scopes:
        key = scope._replace(letters="")
        letters[key] = letters.get(key, "") + scope.letters
    merged = {key: "".join(letter for letter in LETTERS if letter in found) for key, found in letters.items()}
    return tuple(key._replace(letters=found) for key, found in merged.items() if found)


def _both(one: str, other: str) -> str:
    return "".join(letter for letter in one if letter in other)
