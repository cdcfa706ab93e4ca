"""The access matrix: `definitions/access-policy.toml`, read once and checked.

Start-up refuses a row that names an unknown role, type, rule or operation, a served type or an operation without any row, and a
row twice.
"""
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, NamedTuple

from recovery_api.fhir import capability
from recovery_api.fhir.json import JsonObject
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
    keeps: tuple[str, ...] = ()
    """Top-level elements whose references stay, wherever they lead."""


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


@dataclass(frozen=True)
class Matrix:
    """The access policy as data."""

    access: Mapping[tuple[str, str], Access]
    client: Mapping[str, str]
    kinds: Mapping[str, tuple[Kind, ...]]
    released: Mapping[str, tuple[StateTest, ...]]
    parties: Mapping[str, tuple[tuple[str, str], ...]]
    happened: Mapping[str, tuple[str, ...]]
    """The elements that say the clinical date, by type; the first that a resource has counts."""
    operations: Mapping[tuple[str, str, str], str]
    """By role, operation code and type ('' for the system): the letters that the token's scopes must open on the type."""
    labels: LabelRules
    audiences: Mapping[str, tuple[str, ...]]
    """By the name of an audience of the API's documents, the roles of its programs."""

    def of(self, role: str, type: str) -> Access | None:
        """The row of a role for a type; None: the role has nothing to do with the type."""
        return self.access.get((role, type))

    def granted(self, role: str) -> dict[str, str]:
        """The letters that a role may ever use, by type: for interactions and for operations."""
        letters = {row.type: row.may for row in self.access.values() if row.role == role}
        for (holder, _, type), needs in self.operations.items():
            if holder == role and type:
                letters[type] = "".join(dict.fromkeys(letters.get(type, "") + needs))
        return letters

    def open_to(self, role: str) -> frozenset[str]:
        """The types of which a role may read every resource: that one of them is there is no secret."""
        return frozenset(row.type for row in self.access.values() if row.role == role and row.rows == "all" and set(row.may) & set("rs"))

    @cached_property
    def open(self) -> frozenset[str]:
        """The types that are open to everybody: directory and definitions."""
        first, *others = map(self.open_to, ROLES)
        return first.intersection(*others)

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
        happened={type: tuple(paths) for type, paths in said["happened"].items()},
        operations=_operations(said, access),
        labels=label_rules.load(),
        audiences=_audiences(said),
    )


def _rows(said: Mapping[str, Any]) -> Iterable[Access]:
    for entry in said["access"]:
        for name in entry["types"]:
            for type in said["types"].get(name, (name,)):
                lists = (tuple(entry.get(name, ())) for name in ("writes", "leaves_out", "keeps"))
                yield Access(entry["role"], type, entry["may"], entry["rows"], *lists)


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


def _audiences(said: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    found = {name: tuple(roles) for name, roles in said["audiences"].items()}
    if wrong := {role for roles in found.values() for role in roles} - set(ROLES):
        raise PolicyError(f"an audience names an unknown role: {', '.join(sorted(wrong))}")
    return found


def _operations(said: Mapping[str, Any], access: Mapping[tuple[str, str], Access]) -> Mapping[tuple[str, str, str], str]:
    definitions: dict[str, list[JsonObject]] = {}
    for one in capability.operations():
        definitions.setdefault(one["code"], []).append(one)
    found: dict[tuple[str, str, str], str] = {}
    for row in said["operation"]:
        code, defined = row["code"], definitions.get(row["code"], [])
        if not defined:
            raise PolicyError(f"an operation row names ${code}, which has no definition")
        needs: str = row.get("needs", "u" if defined[0].get("affectsState", True) else "r")
        for role in row["roles"]:
            if role not in ROLES or set(needs) - set(LETTERS):
                raise PolicyError(f"an operation row of ${code} names an unknown role or letter: {role}, {needs}")
            for type in _operated(row, role, needs, defined, said, access):
                if (role, code, type) in found:
                    raise PolicyError(f"two operation rows for {role}, ${code} and {type}")
                found[role, code, type] = needs
    if without := definitions.keys() - {code for _, code, _ in found}:
        raise PolicyError(f"operations without any row: {', '.join(sorted(without))}")
    return found


def _operated(
    row: Mapping[str, Any],
    role: str,
    needs: str,
    defined: Sequence[JsonObject],
    said: Mapping[str, Any],
    access: Mapping[tuple[str, str], Access],
) -> Iterable[str]:
    """The types of an operation row. "*": all with which the role may do what the letters say; "": the system."""
    for name in row["types"]:
        if name == "*":
            yield from (type for (holder, type), one in access.items() if holder == role and set(needs) <= set(one.may))
            continue
        for type in said["types"].get(name, (name,)):
            if not any(one["system"] if type == "" else {type, "Resource"} & set(one.get("resource", ())) for one in defined):
                raise PolicyError(f"an operation row names {type or 'the system'}, where there is no ${row['code']}")
            yield type
