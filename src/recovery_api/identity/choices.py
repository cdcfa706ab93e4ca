"""What a person may choose of what an API client asks for: types, and kinds of Conditions and Observations."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from recovery_api.identity.scopes import ResourceScope, Scopes

_THO, _CORE, _OURS = (
    "http://terminology.hl7.org/CodeSystem/",
    "http://hl7.org/fhir/us/core/CodeSystem/",
    "https://recovery-api.example.org/fhir/CodeSystem/",
)

KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Condition": {
        f"category={_THO}condition-category|problem-list-item": "problems on the problem list",
        f"category={_THO}condition-category|encounter-diagnosis": "diagnoses of a visit",
        f"category={_CORE}condition-category|health-concern": "health concerns",
    },
    "Observation": {
        f"category={_OURS}observation-category|companion-session": "what companions note in sessions",
        f"category={_THO}observation-category|vital-signs": "vital signs",
        f"category={_THO}observation-category|laboratory": "laboratory results",
        f"category={_THO}observation-category|social-history": "social history",
        f"category={_THO}observation-category|survey": "questionnaires",
        f"category={_CORE}us-core-category|sdoh": "social needs",
        f"category={_CORE}us-core-category|clinical-test": "clinical tests",
    },
}
"""The queries of granular scopes that a person can choose by, and what they say to people."""

_VERBS: Final = {"c": "add", "r": "read", "u": "change", "d": "delete", "s": "search"}


class Choice(NamedTuple):
    """One line of the page: its value in the form, the type, what the client could do, and the kinds that it can be limited to."""

    value: str
    type: str
    only: str
    verbs: str
    kinds: Mapping[str, str]


def choices(scopes: Scopes) -> list[Choice]:
    """The lines for what is asked for, type by type."""
    letters: dict[tuple[str, str], str] = {}
    for scope in scopes.resources:
        letters[scope.type, scope.query] = letters.get((scope.type, scope.query), "") + scope.letters
    return [_choice(type_, query, found) for (type_, query), found in sorted(letters.items())]


def chosen(scopes: Scopes, lines: Collection[str], kinds: Collection[str]) -> Scopes:
    """What is left: the lines that were ticked, of a type with ticked kinds (`Type?query`) those kinds only."""
    resources: list[ResourceScope] = []
    for scope in scopes.resources:
        if _value(scope.type, scope.query) not in lines:
            continue
        limits = [query for query in KINDS.get(scope.type, ()) if f"{scope.type}?{query}" in kinds] if not scope.query else []
        resources += [scope._replace(query=query) for query in limits] or [scope]
    return Scopes(scopes.roles, tuple(dict.fromkeys(resources)), scopes.others, ())


def without(scopes: Scopes, word: str) -> Scopes:
    """The scopes without one that opens no resource."""
    return Scopes(scopes.roles, scopes.resources, tuple(other for other in scopes.others if other != word), ())


def _choice(type_: str, query: str, letters: str) -> Choice:
    verbs = ", ".join(verb for letter, verb in _VERBS.items() if letter in letters)
    known = KINDS.get(type_, {})
    kinds = {} if query else {f"{type_}?{limit}": words for limit, words in known.items()}
    return Choice(_value(type_, query), type_, known.get(query, query), verbs, kinds)


def _value(type_: str, query: str) -> str:
    return f"{type_}?{query}" if query else type_
