"""May they? Decided from scopes and the access matrix alone, before anything is looked up (interfaces.md, order of answers)."""
from collections.abc import Mapping
from types import MappingProxyType

from recovery_api.fhir.errors import Forbidden, Issue
from recovery_api.identity.actor import Actor
from recovery_api.policy.matrix import Access, Matrix

LETTER: Mapping[str, str] = MappingProxyType(
    {
        "read": "r",
        "vread": "r",
        "history-instance": "r",
        "search-type": "s",
        "history-type": "s",
        "create": "c",
        "update": "u",
        "patch": "u",
        "delete": "d",
    }
)
"""The SMART scope letter that an interaction needs (SMART App Launch 2.2, scopes for requesting FHIR resources)."""


def decide(matrix: Matrix, actor: Actor, type: str, letters: str) -> Access:
    """The access row under which the actor may do all that the letters of `cruds` say with a type.

    Raises Forbidden, the same whatever there is.
    """
    row = matrix.of(actor.role, type)
    for letter in letters:
        if not actor.allows(type, letter):
            raise Forbidden(Issue("forbidden", f"The token has no scope for this interaction with {type} (letter '{letter}')."))
        if row is None or letter not in row.may:
            raise Forbidden(Issue("forbidden", f"The role {actor.role} may not do this with {type}."))
    if row is None:
        raise Forbidden
    return row


def allowed_types(matrix: Matrix, actor: Actor, letter: str) -> list[str]:
    """The types with which the actor may do what the letter says, in alphabetical order."""
    return sorted(type for type in matrix.types(actor.role, letter) if actor.allows(type, letter))


def decide_operation(matrix: Matrix, actor: Actor, code: str, type: str) -> None:
    """Let the actor ask for an operation on a type ('' for the system). Raises Forbidden, the same whatever there is."""
    needs = matrix.operations.get((actor.role, code, type))
    if needs is None:
        raise Forbidden(Issue("forbidden", f"The role {actor.role} may not ask for ${code} here."))
    for letter in needs if type else "":
        if not actor.allows(type, letter):
            raise Forbidden(Issue("forbidden", f"The token has no scope for ${code} with {type} (letter '{letter}')."))
