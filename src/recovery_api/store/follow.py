"""References that a caller may follow: those that lead to what they see. All others do not exist for them (domain.md 3.2).

Whether a reference may be followed is a question to the rule of its target. A search asks it of each index row. A record asks it
in two steps: the statement that finds it asks what costs nearly nothing, for the rules that look at the target's client and columns
alone, and only what these do not open is looked up by `Reader.followed`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol, Self, TypeAlias

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Text,
    and_,
    case,
    column,
    false,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
)

from recovery_api.fhir.search.expression import (
    NOTHING,
    And,
    ClientOf,
    DeniedInPerson,
    Expression,
    Not,
    NothingDeniedInPerson,
    Or,
    Own,
    Row,
    both,
    either,
)
from recovery_api.store.basis import READS, basis
from recovery_api.store.existing import existing
from recovery_api.store.position import position
from recovery_api.store.records import STORED, Parameter
from recovery_api.store.statement import Dialect, one_of, text
from recovery_api.store.tables import resource
from recovery_api.store.visibility import Visibility

Clause: TypeAlias = ColumnElement[bool]
_ONE = literal_column("1", Integer)


class Compiling(Protocol):
    """What is used of the compiler."""

    dialect: Dialect

    @property
    def visibility(self) -> Visibility:
        """Whose sight it compiles for."""
        ...

    def seeing(self, visibility: Visibility) -> Self:
        """The same for another visibility."""
        ...

    def parameter(self, name: str) -> Parameter:
        """The parameter "Type.code"."""
        ...

    def condition(self, expression: Expression, table: FromClause) -> Clause:
        """What a rule says of one row of a table of versions."""
        ...

    def visible_one(self, table: FromClause, types: tuple[str, ...]) -> Clause:
        """The caller's rule for one row, found by its key."""
        ...


def linked(table: FromClause) -> list[ColumnElement[Any]]:
    """The columns of a table of versions from which `record_columns` makes a Record's."""
    return [table.c[name] for name in (*STORED, "links", *READS)]


def record_columns(compiler: Compiling, table: FromClause, types: Sequence[str]) -> list[ColumnElement[Any]]:
    """The columns of a Record of one of these types: what is stored, which consents open it, and its links that nothing opens at once."""
    stored = [table.c[name] for name in STORED]
    if compiler.visibility.complete:
        return [*stored, null().label("basis"), null().label("hidden")]
    by = basis(compiler, table, types).label("basis")
    return [*stored, by, case(*_left(compiler, table, types), else_=null()).label("hidden")]


def _left(compiler: Compiling, table: FromClause, types: Sequence[str]) -> list[tuple[Clause, ColumnElement[Any]]]:
    """What nothing opens at once, by how many links there are. SQLite is slow to take a list apart: one link is asked for as it is."""
    links, nothing, space = table.c.links, text(""), text(" ")
    link = _listed(links, compiler.dialect)
    joined = (func.string_agg if compiler.dialect == "postgresql" else func.group_concat)(link.c.value, space, type_=Text)
    left = select(func.coalesce(joined, nothing)).select_from(link).correlate_except(link)
    several = left.where(not_(_opened_at_once(compiler, table, types, link.c.value))).scalar_subquery()
    if compiler.dialect == "postgresql":
        return [(links != nothing, several)]
    single = case((_opened_at_once(compiler, table, types, links), nothing), else_=links)
    return [(links == nothing, null()), (position(links, space) == literal_column("0", Integer), single), (links != nothing, several)]


def kept(compiler: Compiling, row: FromClause, alternatives: Sequence[Row], *, caller: bool) -> Clause:
    """The index row of a parameter is one of the caller's copy: the reference to which it belongs, if any, is not dropped.

    `caller`: it is the caller who asks, and not a rule.
    """
    name, _, modifier = alternatives[0].param.partition(":")
    parameter = compiler.parameter(name)
    aim = parameter.aim(modifier)
    reached = compiler.visibility.reached
    if not aim or reached.complete or name in compiler.visibility.bare or (not caller and reached is compiler.visibility):
        return true()
    targets = (_named_types(alternatives) or parameter.targets) if aim == "value" else ()
    if targets and reached.open.issuperset(targets):
        return true()
    system, value = (row.c.system, row.c.value) if aim == "value" else (row.c.system2, row.c.value2)
    clauses: list[Clause] = [system.is_(None), system == text("")]
    if parameter.names_client:
        clauses.append(and_(system == text("Patient"), value == row.c.client))
    return or_(*clauses, _is_open(compiler, system), _leads_to_something(compiler, system, value, targets))


def _named_types(alternatives: Sequence[Row]) -> list[str]:
    """The types that the rows must name, where each alternative says one."""
    said = [{value for column, comparison, value in one.tests if (column, comparison) == ("system", "=")} for one in alternatives]
    named = [{value for value in values if isinstance(value, str) and value} for values in said]
    return sorted(set[str]().union(*named)) if all(named) else []


def _is_open(compiler: Compiling, type_: ColumnElement[str]) -> Clause:
    known = sorted(compiler.visibility.reached.open)
    return one_of(type_, known) if known else false()


def _leads_to_something(compiler: Compiling, type_: ColumnElement[str], id_: ColumnElement[str], targets: Sequence[str]) -> Clause:
    """There is a resource of this type and id that the caller sees."""
    reached = compiler.visibility.reached
    known = tuple(one for one in targets or reached.rules if one not in reached.open)
    if not known:
        return false()
    table = resource.alias()
    seen = compiler.seeing(reached).visible_one(table, known)
    return existing(select(_ONE).where(table.c.type == type_, table.c.id == id_, seen).correlate_except(table))


# What the statement that finds a record can say at once


def _opened_at_once(compiler: Compiling, source: FromClause, types: Sequence[str], link: ColumnElement[str]) -> Clause:
    """There is a resource of the link's type and id whose client, and columns, make that the caller sees it.

    What must hold of the client of every visible resource of the one source type need not be asked again for another of the
    same client.
    """
    reached = compiler.visibility.reached
    known = frozenset(_parts(reached.rule(types[0]))) if len(types) == 1 else frozenset[Expression]()
    groups: dict[frozenset[Expression], dict[Expression, list[str]]] = {}
    for target, rule in reached.rules.items():
        if target not in reached.open:
            for branch in _branches(without_others(rule)):
                of_client = frozenset(part for part in _parts(branch) if _is_of_client(part))
                local = both(*(part for part in _parts(branch) if part not in of_client))
                groups.setdefault(of_client, {}).setdefault(local, []).append(target)
    if not groups:
        return false()
    end = position(link, text("/"))
    type_, id_ = func.substr(link, _ONE, end - _ONE, type_=Text), func.substr(link, end + _ONE, type_=Text)
    table = resource.alias()
    there = compiler.seeing(reached)
    opened: list[Clause] = []
    for of_client, locals_ in groups.items():
        asked = [there.condition(part, table) for part in sorted(of_client - known, key=repr)]
        same = [table.c.client == source.c.client] if of_client & known else []
        here = [and_(_among(table.c.type, names, compiler.dialect), there.condition(local, table)) for local, names in locals_.items()]
        opened.append(and_(*same, *asked, or_(*here)))
    return existing(select(_ONE).where(table.c.type == type_, table.c.id == id_, or_(*opened)).correlate_except(table))


def _among(type_: ColumnElement[str], names: Sequence[str], dialect: Dialect) -> Clause:
    """One of the types. SQLite makes a table of a list each time that the statement runs; a text it just searches."""
    if dialect == "postgresql" or len(names) == 1:
        return one_of(type_, names)
    return position(text(f" {' '.join(names)} "), text(" ") + type_ + text(" ")) > literal_column("0", Integer)


def _parts(expression: Expression) -> tuple[Expression, ...]:
    return expression.parts if isinstance(expression, And) else (expression,)


def _branches(expression: Expression) -> tuple[Expression, ...]:
    if _is_of_client(expression):
        return (expression,)
    return expression.parts if isinstance(expression, Or) else (expression,)


@lru_cache(maxsize=4096)
def without_others(rule: Expression) -> Expression:
    """The alternatives of a rule that look at a resource's client and own columns alone: what meets these meets the rule."""
    match rule:
        case And(parts):
            return both(*map(without_others, parts))
        case Or(parts):
            return either(*map(without_others, parts))
        case Not(DeniedInPerson()):
            return NothingDeniedInPerson()
        case Not(part):
            return rule if _is_plain(part) else NOTHING
        case ClientOf() | Own():
            return rule
        case _:
            return NOTHING


def _is_plain(expression: Expression) -> bool:
    match expression:
        case And(parts) | Or(parts):
            return all(map(_is_plain, parts))
        case Not(part):
            return _is_plain(part)
        case _:
            return isinstance(expression, ClientOf | Own)


def _is_of_client(expression: Expression) -> bool:
    """It says something of the resource's client alone."""
    match expression:
        case And(parts) | Or(parts):
            return bool(parts) and all(map(_is_of_client, parts))
        case Not(part):
            return _is_of_client(part)
        case ClientOf() | NothingDeniedInPerson():
            return True
        case _:
            return isinstance(expression, Own) and expression.column == "client"


def _listed(links: ColumnElement[str], dialect: Dialect) -> Any:
    """A text of references with spaces between, as rows with a `value`."""
    if dialect == "postgresql":
        return func.unnest(func.string_to_array(links, text(" "))).table_valued(column("value", Text)).render_derived(name="link")
    array = text('["') + func.replace(links, text(" "), text('","')) + text('"]')
    return func.json_each(array).table_valued(column("value", Text), name="link")
