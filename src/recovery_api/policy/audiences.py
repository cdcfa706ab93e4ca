"""For whom a document of the API is made: the audiences of the access policy, and what their roles may ever do."""
from collections.abc import Mapping

from recovery_api.fhir.openapi.audience import Audience
from recovery_api.policy.decide import LETTER
from recovery_api.policy.matrix import Matrix


def audiences(matrix: Matrix, served: Mapping[str, frozenset[str]]) -> dict[str, Audience]:
    """The audiences by name; `served` are the interactions of each served type."""
    return {name: _audience(name, roles, matrix, served) for name, roles in matrix.audiences.items()}


def _audience(name: str, roles: tuple[str, ...], matrix: Matrix, served: Mapping[str, frozenset[str]]) -> Audience:
    letters: dict[str, set[str]] = {type: set() for type in served}
    for role in roles:
        for type in served:
            if row := matrix.of(role, type):
                letters[type] |= set(row.may)
    interactions = {type: frozenset(code for code in codes if LETTER[code] in letters[type]) for type, codes in served.items()}
    return Audience(name, interactions, frozenset((code, type) for role, code, type in matrix.operations if role in roles))
