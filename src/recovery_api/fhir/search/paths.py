"""The part of FHIRPath that search parameters are written in, resolved to the JSON members that hold the values.

Covers what the expressions of R4 and US Core use: member paths, unions, `as`, `ofType`, `where(member = 'text')`,
`where(resolve() is Type)`, `where(hasExtension('url'))`, `extension('url')`, indexers (https://hl7.org/fhir/R4/fhirpath.html).
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from recovery_api.fhir.json import JsonObject

Elements: TypeAlias = Callable[[str, str], tuple[tuple[str, str], ...]]
"""(type or backbone path, element) -> the (JSON member, type) pairs that it may be; () when there is no such element."""

_TOKEN = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|(%?[A-Za-z_]\w*)|(\d+)|(!=|[().|\[\]=]))")


class Step(NamedTuple):
    """One member, and what must hold of the value there: its `key` equals `equals` ("url" of "extension" …)."""

    member: str
    key: str = ""
    equals: str = ""


class Leaf(NamedTuple):
    """Where values of a parameter stand: the members from the root, the FHIR type there, the referenced type they must have."""

    steps: tuple[Step, ...]
    type: str
    target: str = ""


class NotAPath(ValueError):
    """The expression is not within the part of FHIRPath that is resolved here."""


def leaves(expression: str, root: str, elements: Elements) -> tuple[Leaf, ...]:
    """All places in a resource (or element) of type `root` that the expression reads; terms of other types are left out.

    Raises NotAPath.
    """
    return tuple(dict.fromkeys(_Reader(expression, root, elements).union()))


class _Reader:
    def __init__(self, expression: str, root: str, elements: Elements) -> None:
        self._expression, self._root, self._elements = expression, root, elements
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(expression.rstrip()):
            found = _TOKEN.match(expression, place)
            if found is None:
                raise NotAPath(f"'{expression}' can't be read at character {place}")
            kind = ("text", "name", "number", "sign")[(found.lastindex or 1) - 1]
            self._tokens.append((kind, found.group(found.lastindex or 1)))
            place = found.end()
        self._place = 0

    def _peek(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def _next(self, *expected: str) -> str:
        token = self._peek()
        if not token or (expected and token not in expected):
            raise NotAPath(f"'{self._expression}' has '{token}' where {' or '.join(expected) or 'more'} is expected")
        self._place += 1
        return token

    def union(self) -> list[Leaf]:
        found = self._term()
        while self._peek() == "|":
            self._next()
            found += self._term()
        if self._peek() not in ("", ")"):
            raise NotAPath(f"'{self._expression}' has an operator that is not read here: '{self._peek()}'")
        return found

    def _term(self) -> list[Leaf]:
        if self._peek() == "(":
            self._next()
            found = self.union()
            self._next(")")
        else:
            found = self._first(self._next())
        while self._peek() in (".", "[", "as"):
            match self._next():
                case "[":
                    self._next()
                    self._next("]")
                case "as":
                    found = _only(found, self._next())
                case _:
                    found = self._member(found, self._next())
        return found

    def _first(self, name: str) -> list[Leaf]:
        if name == "%resource" or name in (self._root, "Resource", "DomainResource"):
            return [Leaf((), self._root)]
        return [] if name[0].isupper() else self._step([Leaf((), self._root)], name)

    def _member(self, found: list[Leaf], name: str) -> list[Leaf]:
        if self._peek() != "(":
            return self._step(found, name)
        self._next()
        if name in ("as", "ofType"):
            found = _only(found, self._next())
        elif name == "extension":
            found = _where(self._step(found, "extension"), "url", self._next())
        elif name == "where":
            found = self._where(found)
        else:
            raise NotAPath(f"'{self._expression}' calls {name}(), which is not read here")
        self._next(")")
        return found

    def _where(self, found: list[Leaf]) -> list[Leaf]:
        member = self._next()
        if member == "resolve":
            for expected in ("(", ")", "is"):
                self._next(expected)
            target = self._next()
            return [leaf._replace(target=target) for leaf in found]
        if member == "hasExtension":
            self._next("(")
            found = _where(found, "extension", self._next())
            self._next(")")
            return found
        self._next("=")
        return _where(found, member, self._next())

    def _step(self, found: list[Leaf], name: str) -> list[Leaf]:
        return [Leaf((*leaf.steps, Step(member)), type_) for leaf in found for member, type_ in self._elements(leaf.type, name)]


def _only(found: list[Leaf], wanted: str) -> list[Leaf]:
    return [leaf for leaf in found if leaf.type.lower() == wanted.lower()]


def _where(found: list[Leaf], key: str, equals: str) -> list[Leaf]:
    return [leaf._replace(steps=(*leaf.steps[:-1], leaf.steps[-1]._replace(key=key, equals=equals))) for leaf in found]


def elements_in(types: Mapping[str, JsonObject]) -> Elements:
    """What elements a type has, by the compiled type facts (`definitions/compiled/types.json`), its bases' included."""

    def elements(type_: str, name: str) -> tuple[tuple[str, str], ...]:
        known: str | None = type_
        while known is not None and (facts := types.get(known)) is not None:
            found = tuple((str(member), str(kind)) for member, _, kind, _, _, choice, *_ in facts["elements"] if name in (choice, member))
            if found:
                return found
            known = facts["base"]
        return ()

    return elements
