"""The access matrix: `definitions/access-policy.toml`, read once and checked.

Start-up refuses a row that names an unknown role, type or rule, a served type without any row, and a row twice.
"""
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

from recovery_api.policy import label_rules
from recovery_api.policy.label_rules import LabelRules
from recovery_api.policy.relations import RULES

ROLES = ("companion", "case-manager", "treatment-team", "ehr", "referrer", "client", "auditor", "admin")
EXTERNAL_ROLES = frozenset({"treatment-team", "ehr", "referrer"})
LETTERS = "cruds"


class Access(NamedTuple):
    """What a role may do with a type: letters of `cruds`, the rule for its rows, the rules that its writes keep."""

    role: str
    type: str
    may: str
    rows: str
    writes: tuple[str, ...] = ()
    leaves_out: tuple[str, ...] = ()


class Kind(NamedTuple):
    """A coding at `path` that makes a resource of `type` one of an access class."""

    kind: str
    type: str
    path: str
    system: str
    code: str


class StateTest(NamedTuple):
    """What an element must be (one of `values`; any value where empty) for a resource to be seen outside."""

    path: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """The access policy as data."""

    access: Mapping[tuple[str, str], Access]
    client: Mapping[str, str]
    kinds: Mapping[str, tuple[Kind, ...]]
    released: Mapping[str, tuple[StateTest, ...]]
    parties: Mapping[str, tuple[tuple[str, str], ...]]
    labels: LabelRules

    def of(self, role: str, type: str) -> Access | None:
        """The row of a role for a type; None: the role has nothing to do with the type."""
        return self.access.get((role, type))

    def granted(self, role: str) -> dict[str, str]:
        """The letters that a role may ever use, by type."""
        return {row.type: row.may for row in self.access.values() if row.role == role}

    def types(self, role: str, letter: str) -> list[str]:
        """The types with which a role may do what the letter says, in the order of the policy file."""
        return [row.type for row in self.access.values() if row.role == role and letter in row.may]


class PolicyError(Exception):
    """The policy file says something that the server does not know."""


def load(served: Iterable[str], write_rules: Iterable[str]) -> Matrix:
    """The matrix for the served types. `write_rules`: the names of the rules for writes that exist.

    Raises PolicyError, with a sentence that names the row.
    """
    said = tomllib.loads((files("recovery_api") / "definitions" / "access-policy.toml").read_text("utf-8"))
    known = frozenset(served)
    access: dict[tuple[str, str], Access] = {}
    for row in _rows(said):
        _check(row, known, frozenset(write_rules))
        if (row.role, row.type) in access:
            raise PolicyError(f"two access rows for {row.role} and {row.type}")
        access[row.role, row.type] = row
    if without := known - {type for _, type in access}:
        raise PolicyError(f"served without any access row: {', '.join(sorted(without))}")
    kinds: dict[str, tuple[Kind, ...]] = {}
    for entry in said["kind"]:
        kinds[entry["type"]] = (*kinds.get(entry["type"], ()), Kind(**entry))
    return Matrix(
        access=access,
        client=said["client"],
        kinds=kinds,
        released={
            type: tuple(StateTest(test["path"], tuple(test.get("in", ()))) for test in tests) for type, tests in said["released"].items()
        },
        parties={type: tuple(roles.items()) for type, roles in said["parties"].items()},
        labels=label_rules.load(),
    )


def _rows(said: Mapping[str, Any]) -> Iterable[Access]:
    for entry in said["access"]:
        for name in entry["types"]:
            for type in said["types"].get(name, (name,)):
                yield Access(
                    entry["role"], type, entry["may"], entry["rows"], tuple(entry.get("writes", ())), tuple(entry.get("leaves_out", ()))
                )


def _check(row: Access, served: frozenset[str], write_rules: frozenset[str]) -> None:
    where = f"the access row of {row.role} for {row.type}"
    if row.role not in ROLES:
        raise PolicyError(f"{where} names an unknown role")
    if row.type not in served:
        raise PolicyError(f"{where} names a type that is not served")
    if row.rows not in RULES:
        raise PolicyError(f"{where} names an unknown rule, {row.rows}")
    if unknown := set(row.writes) - write_rules:
        raise PolicyError(f"{where} names unknown rules for writes: {', '.join(sorted(unknown))}")
    if set(row.may) - set(LETTERS):
        raise PolicyError(f"{where} has letters other than {LETTERS}")
