"""Whether the caller sees a resource of whatever type: the rules of all types as one condition, which asks each thing once.

A rule is a choice of branches, and a branch is parts that hold together. What most branches ask stands once beside all of them,
behind what costs less; whom a resource names is one look for all branches that ask nothing further. What a Binary or a Provenance
points at is judged in its place. So the rules of a role take as many sub-selects as they ask different things.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, product
from types import MappingProxyType
from typing import Protocol, TypeAlias

from sqlalchemy import ColumnElement, FromClause, Integer, and_, false, literal_column, or_, select, union_all

from recovery_api.fhir.search.expression import And, ClientOf, Expression, Not, Or, Own, Party, PartyIn, Via
from recovery_api.store.existing import existing
from recovery_api.store.position import position
from recovery_api.store.related import looks_further, naming, of_version
from recovery_api.store.statement import Dialect, one_of, text
from recovery_api.store.tables import party, resource
from recovery_api.store.visibility import Visibility

Clause: TypeAlias = ColumnElement[bool]
Branch: TypeAlias = frozenset[Expression]
Choice: TypeAlias = Mapping[Branch, Sequence[str]]
"""For which types each branch stands."""
Known: TypeAlias = Mapping[Expression, ColumnElement[str]]
"""Of which client it is known that something holds."""

_NOTHING: Known = MappingProxyType({})
_ONE = literal_column("1", Integer)


class Compiling(Protocol):
    """What is used of the compiler."""

    dialect: Dialect

    @property
    def visibility(self) -> Visibility:
        """Whose sight it compiles for."""
        ...

    def condition(self, expression: Expression, table: FromClause, types: tuple[str, ...] = ()) -> Clause:
        """What a rule says of one row, of one of these types, of a table of versions."""
        ...


def seen(compiler: Compiling, table: FromClause, types: Iterable[str]) -> Clause:
    """The row, found by its key, is of one of these types, and the caller sees it."""
    return _Sight(compiler, table, _NOTHING).holds(_choice(compiler.visibility, types))


def leads_to_seen(
    compiler: Compiling, type_: ColumnElement[str], id_: ColumnElement[str], types: Sequence[str], known: Known = _NOTHING
) -> Clause:
    """There is a resource of this type and id, which is one of these types, and the caller sees it."""
    rules, judged = compiler.visibility.rules, resource.alias()
    followed = [one for one, rule in rules.items() if not looks_further(rule)] if any(looks_further(rules[one]) for one in types) else []
    choice = _choice(compiler.visibility, dict.fromkeys((*types, *followed)))
    here = {branch: names for branch, names in choice.items() if not _looking(branch)}
    holds = _Sight(compiler, judged, known).holds(here)
    if len(here) == len(choice):
        return existing(select(_ONE).where(judged.c.type == type_, judged.c.id == id_, holds).correlate_except(judged))
    pointing, named = resource.alias(), party.alias()
    ways: list[Clause] = []
    for branch, names in choice.items():
        for via in _looking(branch):
            rest = (compiler.condition(part, pointing) for part in branch - {via})
            ways.append(and_(one_of(type_, names), one_of(named.c.role, (via.role,)), *rest))
    at = (pointing.c.type == type_, pointing.c.id == id_, *of_version(named, pointing), one_of(named.c.holder_type, followed))
    further = select(named.c.holder_type, named.c.holder_id).where(*at, or_(*ways)).correlate_except(pointing, named)
    aim = union_all(select(type_.label("type"), id_.label("id")).correlate_except(), further).subquery("aimed_at")
    found = select(_ONE).where(judged.c.type == aim.c.type, judged.c.id == aim.c.id, holds).correlate_except(judged)
    return existing(select(_ONE).select_from(aim).where(existing(found)).correlate_except(aim))


class _Sight:
    """What is asked of one row."""

    def __init__(self, compiler: Compiling, table: FromClause, known: Known) -> None:
        self._compiler = compiler
        self._table = table
        self._known = known

    def holds(self, choice: Choice) -> Clause:
        """A branch holds, and the resource is of one of its types."""
        shared: list[Clause] = []
        while asked := _most_asked(choice):
            within = {branch - {asked}: names for branch, names in choice.items() if asked in branch}
            choice = {branch: names for branch, names in choice.items() if asked not in branch}
            shared.append(and_(self.holds(within), self._asked(asked, sorted({*chain(*within.values())}))))
        plain = [self._by_itself(branch, names) for branch, names in choice.items() if not _naming(branch)]
        naming_ = {branch: names for branch, names in choice.items() if _naming(branch)}
        return or_(false(), *plain, *shared, *self._names(naming_))

    def _asked(self, part: Expression, types: Sequence[str]) -> Clause:
        asked = self._compiler.condition(part, self._table, tuple(types))
        return or_(self._table.c.client == self._known[part], asked) if part in self._known else asked

    def _by_itself(self, parts: Iterable[Expression], types: Sequence[str]) -> Clause:
        return and_(self._among(types), *(self._compiler.condition(part, self._table) for part in sorted(parts, key=repr)))

    def _names(self, choice: Choice) -> list[Clause]:
        """The version names somebody, as one of the branches asks."""
        if not choice:
            return []
        named = party.alias()
        alternatives: list[Clause] = []
        for branch, names in choice.items():
            first = _naming(branch)[0]
            rest = [part for part in branch if part != first]
            alternatives.append(and_(self._by_itself(rest, names), naming(first, named)))
        return [existing(select(_ONE).where(*of_version(named, self._table), or_(*alternatives)).correlate_except(named))]

    def _among(self, types: Sequence[str]) -> Clause:
        """SQLite makes a table of a list each time that the statement runs; a text it just searches."""
        type_ = self._table.c.type
        if self._compiler.dialect == "postgresql" or len(types) == 1:
            return one_of(type_, types)
        return position(text(f" {' '.join(types)} "), text(" ") + type_ + text(" ")) > literal_column("0", Integer)


def _choice(visibility: Visibility, types: Iterable[str]) -> Choice:
    choice: dict[Branch, list[str]] = {}
    for one in types:
        for branch in branches(visibility.rule(one)):
            choice.setdefault(branch, []).append(one)
    return choice


@lru_cache(maxsize=4096)
def branches(rule: Expression) -> tuple[Branch, ...]:
    """The ways in which a rule can hold. What looks at own columns, or at relations of the client, alone is not taken apart."""
    match rule:
        case And(parts):
            return tuple(dict.fromkeys(frozenset(chain(*ways)) for ways in product(*map(branches, parts))))
        case Or(parts) if not (is_plain(rule) or is_of_client(rule)):
            return tuple(dict.fromkeys(chain(*map(branches, parts))))
        case _:
            return (frozenset((rule,)),)


def _most_asked(choice: Iterable[Branch]) -> Expression | None:
    """What costs a look elsewhere, but for whom the resource names, and stands in the most branches."""
    asked = Counter(part for branch in choice for part in branch if not is_plain(part) and not isinstance(part, Party | PartyIn))
    return max(asked, key=lambda part: (asked[part], repr(part)), default=None)


def _naming(branch: Branch) -> list[Party | PartyIn]:
    return sorted((part for part in branch if isinstance(part, Party | PartyIn)), key=repr)


def _looking(branch: Branch) -> list[Via]:
    return [part for part in branch if isinstance(part, Via)]


def is_plain(expression: Expression) -> bool:
    """It looks at the resource's own columns alone."""
    match expression:
        case And(parts) | Or(parts):
            return bool(parts) and all(map(is_plain, parts))
        case Not(part):
            return is_plain(part)
        case _:
            return isinstance(expression, Own)


def is_of_client(expression: Expression) -> bool:
    """It looks at relations of the resource's client alone."""
    match expression:
        case And(parts) | Or(parts):
            return bool(parts) and all(map(is_of_client, parts))
        case _:
            return isinstance(expression, ClientOf)
