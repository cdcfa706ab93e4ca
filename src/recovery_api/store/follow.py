"""References that a caller may follow: those that lead to what they see. All others do not exist for them (domain.md 3.2).

Whether a reference may be followed is a question to the rule of its target. A search asks it of each index row, and the statement
that finds a record asks it of each of its links: all rules of the caller at once, so that a record with a hidden link takes what a
record without one takes.
"""

from collections.abc import Sequence
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
    union_all,
)

from recovery_api.fhir.search.expression import And, Expression, Row
from recovery_api.store.basis import READS, basis
from recovery_api.store.position import position
from recovery_api.store.records import STORED, Parameter
from recovery_api.store.sight import Known, is_of_client, leads_to_seen
from recovery_api.store.statement import Dialect, one_of, text
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

    def condition(self, expression: Expression, table: FromClause, types: tuple[str, ...] = ()) -> Clause:
        """What a rule says of one row, of one of these types, of a table of versions."""
        ...


def linked(table: FromClause) -> list[ColumnElement[Any]]:
    """The columns of a table of versions from which `record_columns` makes a Record's."""
    return [table.c[name] for name in (*STORED, "links", *READS)]


def record_columns(compiler: Compiling, table: FromClause, types: Sequence[str]) -> list[ColumnElement[Any]]:
    """The columns of a Record of one of these types, which the caller sees: what is stored, which consents open it, hidden links."""
    stored = [table.c[name] for name in STORED]
    if compiler.visibility.complete:
        return [*stored, null().label("basis"), null().label("hidden")]
    by = basis(compiler, table, types).label("basis")
    links, nothing = table.c.links, text("")
    return [*stored, by, case((links != nothing, _hidden(compiler, links, _known(compiler, table, types))), else_=null()).label("hidden")]


def _hidden(compiler: Compiling, links: ColumnElement[str], known: Known) -> ColumnElement[str]:
    link = _listed(links, compiler.dialect)
    joined = (func.string_agg if compiler.dialect == "postgresql" else func.group_concat)(link.c.value, text(" "), type_=Text)
    hidden = select(func.coalesce(joined, text(""))).where(not_(_is_followed(compiler, link.c.value, known)))
    return hidden.correlate_except(link).scalar_subquery()


def _is_followed(compiler: Compiling, link: ColumnElement[str], known: Known) -> Clause:
    end = position(link, text("/"))
    type_, id_ = func.substr(link, _ONE, end - _ONE, type_=Text), func.substr(link, end + _ONE, type_=Text)
    return or_(*_may_be_followed(compiler, type_, id_, (), known))


def _known(compiler: Compiling, table: FromClause, types: Sequence[str]) -> Known:
    """What holds of the client of each visible row of the one type, and need not be asked again for another of the same client."""
    if len(types) > 1:
        return {}
    rule = compiler.visibility.reached.rule(types[0])
    return {part: table.c.client for part in (rule.parts if isinstance(rule, And) else (rule,)) if is_of_client(part)}


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
    return or_(*clauses, *_may_be_followed(compiler, system, value, targets, {}))


def _named_types(alternatives: Sequence[Row]) -> list[str]:
    """The types that the rows must name, where each alternative says one."""
    said = [{value for column, comparison, value in one.tests if (column, comparison) == ("system", "=")} for one in alternatives]
    named = [{value for value in values if isinstance(value, str) and value} for values in said]
    return sorted(set[str]().union(*named)) if all(named) else []


def _may_be_followed(
    compiler: Compiling, type_: ColumnElement[str], id_: ColumnElement[str], targets: Sequence[str], known: Known
) -> list[Clause]:
    """The type is open to the caller, or there is a resource of this type and id that they see."""
    reached = compiler.visibility.reached
    asked = [one for one in targets or reached.rules if one in reached.rules and one not in reached.open]
    open_ = one_of(type_, sorted(reached.open)) if reached.open else false()
    return [open_, leads_to_seen(compiler.seeing(reached), type_, id_, asked, known) if asked else false()]


def _listed(links: ColumnElement[str], dialect: Dialect) -> Any:
    """A text of references with spaces between, as rows with a `value`. SQLite is slow to take a list apart: one stays as it is."""
    space = text(" ")
    if dialect == "postgresql":
        return func.unnest(func.string_to_array(links, space)).table_valued(column("value", Text)).render_derived(name="link")
    is_one = position(links, space) == literal_column("0", Integer)
    array = text('["') + func.replace(links, space, text('","')) + text('"]')
    each = func.json_each(array).table_valued(column("value", Text), name="links")
    one, several = select(links.label("value")).where(is_one), select(each.c.value).where(~is_one).correlate_except(each)
    return union_all(one.correlate_except(), several).subquery("link")
