"""SMART scopes: what an API client was granted (https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html).

A resource scope is `<patient|user|system>/<Type|*>.<cruds>[?param=value[&…]]`, its letters in this order. Version 1's
`.read`, `.write` and `.*` are read as `rs`, `cud` and `cruds`. Beside them stands one role scope of ours, `recovery/<role>`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

LETTERS = "cruds"
CONTEXTS = frozenset({"patient", "user", "system"})
ROLE_PREFIX = "recovery/"

_VERSION_1 = {"read": "rs", "write": "cud", "*": LETTERS}
_PARAMETER = r"[A-Za-z_][A-Za-z0-9_.:\-]*=[^&=\s?#\"\\]+"
_RESOURCE_SCOPE = re.compile(
    r"(?P<context>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{1,63})\."
    rf"(?:(?P<old>read|write|\*)|(?P<letters>(?=[cruds])c?r?u?d?s?)(?:\?(?P<query>{_PARAMETER}(?:&{_PARAMETER})*))?)"
)


class ResourceScope(NamedTuple):
    """One resource scope in the words of version 2; `query` is the search that the resource must match, or ''."""

    context: str
    type: str
    letters: str
    query: str = ""

    def __str__(self) -> str:
        """The scope as a token carries it."""
        return f"{self.context}/{self.type}.{self.letters}{'?' if self.query else ''}{self.query}"


class Condition(NamedTuple):
    """What a resource must meet for the scopes to open it.

    `query` is a FHIR search query that it must match ('': none; one that its type does not know opens nothing).
    `in_patient`: where the resource belongs to a client, that must be the patient of the token.
    """

    query: str = ""
    in_patient: bool = False


UNRESTRICTED = Condition()


@dataclass(frozen=True)
class Scopes:
    """The scopes of one token, sorted by kind. `others` are openid, launch and the like; they open no resource, nor do
    `malformed` ones.
    """

    roles: tuple[str, ...]
    resources: tuple[ResourceScope, ...]
    others: tuple[str, ...]
    malformed: tuple[str, ...]
    text: str = field(init=False, repr=False, compare=False)
    """The scopes as a token carries them, in the words of version 2."""
    _openings: Mapping[str, Mapping[str, tuple[Condition, ...]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = (*(ROLE_PREFIX + role for role in self.roles), *self.others, *map(str, self.resources))
        object.__setattr__(self, "text", " ".join(words))
        object.__setattr__(self, "_openings", _openings(self.resources))

    @classmethod
    def parse(cls, text: str) -> "Scopes":
        """The scopes in a space-separated text (RFC 6749, section 3.3); one that is named twice counts once."""
        resources: list[ResourceScope] = []
        roles: list[str] = []
        others: list[str] = []
        malformed: list[str] = []
        for word in dict.fromkeys(filter(None, text.split(" "))):
            if word.startswith(ROLE_PREFIX):
                roles.append(word.removeprefix(ROLE_PREFIX))
            elif word.partition("/")[0] not in CONTEXTS:
                others.append(word)
            elif scope := resource_scope(word):
                resources.append(scope)
            else:
                malformed.append(word)
        return cls(tuple(roles), tuple(dict.fromkeys(resources)), tuple(others), tuple(malformed))

    def within(self, contexts: Collection[str]) -> "Scopes":
        """The same without the resource scopes of other contexts, which open nothing for this caller."""
        return Scopes(self.roles, tuple(scope for scope in self.resources if scope.context in contexts), self.others, self.malformed)

    def allows(self, type_: str, letter: str) -> tuple[Condition, ...]:
        """On what conditions (one of them must be met) a letter of c, r, u, d, s is open on a type; none: not at all.

        Scopes that open without a condition give (UNRESTRICTED,).
        """
        return self._openings.get(type_, self._openings["*"]).get(letter, ())

    def __str__(self) -> str:
        """The scopes as a token carries them."""
        return self.text


def resource_scope(word: str) -> ResourceScope | None:
    """The resource scope that a word is, of version 1 or 2; None where it is none."""
    found = _RESOURCE_SCOPE.fullmatch(word)
    if found is None:
        return None
    return ResourceScope(found["context"], found["type"], found["letters"] or _VERSION_1[found["old"]], found["query"] or "")


def role_scopes(role: str, context: str, granted: Mapping[str, Iterable[str]]) -> str:
    """All that a role may be granted, as a token's scopes: `granted` gives the letters that it may ever use on a type."""
    letters = {type_: "".join(letter for letter in LETTERS if letter in set(may)) for type_, may in granted.items()}
    return " ".join((ROLE_PREFIX + role, *(str(ResourceScope(context, type_, may)) for type_, may in letters.items() if may)))


def _openings(scopes: tuple[ResourceScope, ...]) -> dict[str, dict[str, tuple[Condition, ...]]]:
    """By type and letter, "*" for the types that no scope names."""
    found: dict[str, dict[str, list[Condition]]] = {type_: {} for type_ in (*(scope.type for scope in scopes), "*")}
    for scope in scopes:
        condition = Condition(scope.query, scope.context == "patient")
        for type_ in found if scope.type == "*" else (scope.type,):
            for letter in scope.letters:
                found[type_].setdefault(letter, []).append(condition)
    return {type_: {letter: _widest(conditions) for letter, conditions in letters.items()} for type_, letters in found.items()}


def _widest(conditions: list[Condition]) -> tuple[Condition, ...]:
    """Without the conditions that another one, which is met whenever they are, makes idle."""
    kept = dict.fromkeys(conditions)
    wider = {condition: {Condition("", condition.in_patient), Condition(condition.query), UNRESTRICTED} - {condition} for condition in kept}
    return tuple(condition for condition in kept if not wider[condition] & kept.keys())
