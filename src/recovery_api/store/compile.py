"""Compiles an expression to SQL. It means in SQL what `fhir/search/match.py` says it means in memory.

Positive conditions are semi-joins (`id IN (SELECT …)`), never joins on another column, so a sharded database can run them.
A column that is NULL passes no test.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self, TypeAlias, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Select,
    SelectBase,
    Text,
    and_,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.types import TypeEngine

from recovery_api.fhir.search.expression import (
    And,
    Bind,
    Chain,
    ClientOf,
    Comparison,
    Consented,
    DeniedInPerson,
    Expression,
    Has,
    Not,
    Or,
    Own,
    OwnBasis,
    Party,
    PartyIn,
    Row,
    Value,
    Via,
    openings,
    param_number,
)
from recovery_api.store.consented import Consents
from recovery_api.store.existing import existing
from recovery_api.store.follow import kept
from recovery_api.store.lift import after_prefix, next_place
from recovery_api.store.position import position
from recovery_api.store.records import Parameter, Parameters
from recovery_api.store.related import lack_now_too, looks_further, named_in, of_version, related
from recovery_api.store.sight import seen
from recovery_api.store.statement import Dialect, one_of, sql_value, text
from recovery_api.store.tables import party, relation, resource, search_index
from recovery_api.store.visibility import Visibility

Clause: TypeAlias = ColumnElement[bool]
_TYPES: dict[str, TypeEngine[Any]] = {
    **dict.fromkeys(("low", "high"), Double()),
    **dict.fromkeys(("last_updated", "labels"), BigInteger()),
    "released": Boolean(),
}


class Scope(NamedTuple):
    """The resource that a condition is about."""

    table: FromClause
    types: tuple[str, ...]
    client: ColumnElement[str] | None = None
    """The one client that it can belong to, where the query says so."""
    clients: SelectBase | None = None
    """The only clients that it can belong to, where the query or the rule says so."""
    single: bool = False
    """It is one row, found by its key: conditions probe for it and do not gather candidates."""
    caller: bool = True
    """The condition is the caller's: what is left out for them finds nothing."""
    gathered: bool = False
    """It belongs to one of few clients who are found first: what is asked of a client is asked of each, and gathers nobody."""
    links: int = 0
    """How many references away from what is searched it is."""

    def linked(self, table: FromClause, type_: str) -> "Scope":
        """The resource at the other end of a reference."""
        return Scope(table, (type_,), caller=self.caller, links=self.links + 1)


class Compiler:
    """Compiles for one visibility on one dialect."""

    def __init__(self, dialect: Dialect, parameters: Parameters, visibility: Visibility) -> None:
        self.dialect: Dialect = dialect
        self._parameters = parameters
        self._visibility = visibility

    @property
    def visibility(self) -> Visibility:
        """Whose sight it compiles for."""
        return self._visibility

    def seeing(self, visibility: Visibility) -> Self:
        """The same for another visibility."""
        return type(self)(self.dialect, self._parameters, visibility)

    def condition(self, expression: Expression, table: FromClause, types: tuple[str, ...] = ()) -> Clause:
        """What a rule says of one row, of one of these types, of a table of versions."""
        return self._all(expression, Scope(table, types, single=True, caller=False))

    # What may be seen

    def visible(self, scope: Scope, *, versions: bool = False) -> Clause:
        """The caller's rule for the resource, type by type; `versions`: the rule for any version."""
        rule = self._visibility.version_rule if versions else self._visibility.rule
        groups: dict[Expression, list[str]] = {}
        for type_ in scope.types:
            groups.setdefault(rule(type_), []).append(type_)
        clauses = [
            and_(one_of(scope.table.c.type, types), self._all(expression, scope._replace(types=tuple(types), caller=False)))
            for expression, types in groups.items()
            if expression != Or()
        ]
        return or_(*clauses) if clauses else false()

    def visible_one(self, table: FromClause, types: tuple[str, ...]) -> Clause:
        """The caller's rule for one row, found by its key."""
        return self.visible(Scope(table, types, single=True))

    def found(self, expression: Expression, scope: Scope, *, versions: bool = False) -> Clause:
        """What the caller asks for, among what they may see."""
        client = self.client(expression)
        chained = self._chained_clients(expression, scope) if client is None else None
        clients = self._clients(scope) if client is None and chained is None else chained
        visible = self.visible(scope._replace(client=client, gathered=chained is not None), versions=versions)
        return and_(self._all(expression, scope._replace(client=client, clients=clients)), visible)

    def client(self, expression: Expression) -> ColumnElement[str] | None:
        """The one client that the expression asks for, if it does."""
        for part in _parts(expression):
            if isinstance(part, Own) and part.column == "client" and part.comparison == "=":
                return cast("ColumnElement[str]", sql_value(part.value, Text()))
        return None

    def few_clients(self, expression: Expression, types: tuple[str, ...]) -> bool:
        """Matches belong to some clients, of whom there are few beside all."""
        scope = Scope(resource, types)
        if self.client(expression) is not None:
            return False
        return self._chained_clients(expression, scope) is not None or self._clients(scope) is not None

    def _chained_clients(self, expression: Expression, scope: Scope) -> SelectBase | None:
        """The clients of a chain over the client column: matches are gathered by them, and what else is asked is asked of each."""
        for part in _parts(expression):
            if isinstance(part, Chain) and self.by_client(part.param) and not (scope.caller and self._visibility.hides(part.param)):
                return self._clients_where(part.targets, scope)
        return None

    def _clients(self, scope: Scope) -> SelectBase | None:
        """The clients of the rule, where it has some: so few that index rows are sought by client."""
        rules = {self._visibility.rule(type_) for type_ in scope.types}
        found = [related(one) for one in openings(rules.pop())] if len(rules) == 1 else []
        return union_all(*found) if len(found) > 1 else next(iter(found), None)

    # Conditions

    def _all(self, expression: Expression, scope: Scope) -> Clause:
        match expression:
            case And(parts):
                return and_(true(), *self._each(parts, scope))
            case Or(parts):
                return or_(false(), *(self._any(parts, scope)))
            case Not(part):
                return not_(self._all(part, scope._replace(single=True)))
            case Row():
                return self._rows((expression,), scope)
            case Own(column, comparison, value):
                said = _compare(scope.table.c[column], comparison, value, _TYPES.get(column, Text()))
                return and_(said, lack_now_too(scope.table, value)) if comparison == "lacks" and "created" not in scope.table.c else said
            case Chain(param, targets):
                return self._chain(param, targets, scope)
            case Has():
                return self._has(expression, scope)
            case _:
                return self._related_so(expression, scope)

    def _related_so(self, expression: Expression, scope: Scope) -> Clause:
        """What only policy says."""
        match expression:
            case ClientOf():
                return self._client_of(expression, scope)
            case Party() | PartyIn():
                return named_in(expression, scope.table)
            case Via(role):
                return self._via(role, scope)
            case Consented(person, recipient):
                named = None if recipient is None else sql_value(recipient, Text())
                return Consents(scope.table, scope.types, scope.client, person=person, recipient=named).permitted()
            case DeniedInPerson():
                return Consents(scope.table, scope.types, scope.client).denied_in_person()
            case OwnBasis():
                return Consents(scope.table, scope.types).basis()
            case _:
                raise TypeError(f"{type(expression).__name__} is no expression")

    def _each(self, parts: Sequence[Expression], scope: Scope) -> Iterable[Clause]:
        """All parts. SQLite plans no joins between lists: one condition gathers candidates, the others probe for each."""
        if self.dialect == "postgresql":
            return [self._all(part, scope) for part in parts]
        first = min((part for part in parts if isinstance(part, Row)), key=_breadth, default=None)
        probing = scope._replace(single=True)
        return [self._all(part, probing if isinstance(part, Row) and part is not first else scope) for part in parts]

    def _any(self, parts: Sequence[Expression], scope: Scope) -> Iterable[Clause]:
        """The alternatives; those of one parameter's rows become one look into the index."""
        rows: dict[str, list[Row]] = {}
        for part in parts:
            if isinstance(part, Row) and part.tests:
                rows.setdefault(part.param, []).append(part)
            else:
                yield self._all(part, scope)
        for alternatives in rows.values():
            yield self._rows(alternatives, scope)

    def _rows(self, alternatives: Sequence[Row], scope: Scope) -> Clause:
        param = alternatives[0].param
        if scope.caller and self._visibility.hides(param):
            return false()
        row = search_index.alias()
        tests = or_(*(and_(true(), *(_compare(row.c[c], o, v, _TYPES.get(c, Text())) for c, o, v in one.tests)) for one in alternatives))
        probing = scope.single or not alternatives[0].tests
        found = [self._numbered(row, param), tests, kept(self, row, alternatives, caller=scope.caller)]
        if not probing:
            found += [*self._owned(row, scope), *_filled(row, alternatives)]
        return self._semi(scope.table.c.id, select(row.c.id).where(*found), probing)

    def _owned(self, row: FromClause, scope: Scope) -> list[Clause]:
        """The index row belongs to one of the clients that the resource can belong to. PostgreSQL seeks them where they are an array."""
        if scope.client is not None:
            return [row.c.client == scope.client]
        if scope.clients is None:
            return []
        if self.dialect == "postgresql":
            return [row.c.client == func.any(func.array(scope.clients.scalar_subquery()))]
        return [row.c.client.in_(scope.clients)]

    def _numbered(self, row: FromClause, param: str) -> Clause:
        return one_of(row.c.param, self.numbers(param))

    def numbers(self, param: str) -> list[int]:
        """The numbers of the index rows that are the parameter's ("Type.code", maybe with ":modifier")."""
        name, colon, modifier = param.partition(":")
        return [param_number(row + colon + modifier) for row in self._parameters.named(name).rows]

    def parameter(self, name: str) -> Parameter:
        """The parameter "Type.code"."""
        return self._parameters.named(name)

    def by_client(self, param: str) -> bool:
        """The resource's client column says all that the reference parameter says."""
        return self._parameters.named(param).column == "client"

    def _semi(self, element: ColumnElement[str], found: Select[str], probing: bool) -> Clause:
        """The element is among what is found: gathered, or probed for."""
        if not probing:
            return element.in_(found)
        [column] = found.selected_columns
        return existing(found.with_only_columns(literal_column("1", Integer)).where(column == element))

    def _chain(self, param: str, targets: Sequence[tuple[str, Expression]], scope: Scope) -> Clause:
        if scope.caller and self._visibility.hides(param):
            return false()
        if self.by_client(param):
            return self._semi(scope.table.c.client, self._clients_where(targets, scope), scope.single)
        row = search_index.alias()
        reached = or_(
            false(),
            *(and_(row.c.system == text(type_), row.c.value.in_(self._targets(type_, where, scope))) for type_, where in targets),
        )
        found = select(row.c.id).where(self._numbered(row, param), reached)
        if not scope.single:
            found = found.where(*self._owned(row, scope))
        return self._semi(scope.table.c.id, found, scope.single)

    def _clients_where(self, targets: Sequence[tuple[str, Expression]], scope: Scope) -> Select[str]:
        [where] = [where for type_, where in targets if type_ == "Patient"] or [Or()]
        return self._targets("Patient", where, scope)

    def _targets(self, type_: str, where: Expression, scope: Scope) -> Select[str]:
        table = resource.alias()
        return self._flat(select(table.c.id).where(self.found(where, scope.linked(table, type_))), scope)

    def _has(self, node: Has, scope: Scope) -> Clause:
        if scope.caller and self._visibility.hides(node.param):
            return false()
        table = resource.alias()
        pointing = self.found(node.where, scope.linked(table, node.type))
        if self.by_client(node.param):
            here = self._semi(scope.table.c.id, self._flat(select(table.c.client).where(pointing), scope), scope.single)
            return and_(scope.table.c.type == text("Patient"), here)
        row = search_index.alias()
        pointers = self._flat(select(table.c.id).where(pointing), scope)
        found = select(row.c.value).where(self._numbered(row, node.param), row.c.id.in_(pointers))
        if len(scope.types) == 1:
            return self._semi(scope.table.c.id, found.where(row.c.system == text(scope.types[0])), scope.single)
        return self._semi(scope.table.c.id, found.where(row.c.system == scope.table.c.type), probing=True)

    def _flat(self, found: Select[str], scope: Scope) -> Select[str]:
        """The same, and beyond the second link not within brackets: SQLite's parser takes so many of them and no more."""
        if self.dialect == "postgresql" or scope.links < 2:
            return found
        return select(*found.cte().c)

    # Policy

    def _client_of(self, node: ClientOf, scope: Scope) -> Clause:
        clients = related(node)
        if scope.client is not None:
            return existing(clients.with_only_columns(literal_column("1", Integer)).where(relation.c.client == scope.client))
        if scope.gathered and self.dialect == "postgresql":
            clients = clients.offset(literal_column("0", Integer))  # its planner would gather by them all the same
        return self._semi(scope.table.c.client, clients, scope.single or scope.gathered)

    def _via(self, role: str, scope: Scope) -> Clause:
        named, target = party.alias(), resource.alias()
        readable = tuple(type_ for type_, rule in self._visibility.rules.items() if not looks_further(rule))
        where = [
            *of_version(named, scope.table),
            one_of(named.c.role, (role,)),
            target.c.type == named.c.holder_type,
            target.c.id == named.c.holder_id,
        ]
        if not self._visibility.complete:
            where.append(seen(self, target, readable))
        return existing(select(literal_column("1", Integer)).where(*where).correlate_except(named, target))


def _parts(expression: Expression) -> tuple[Expression, ...]:
    """What must hold together."""
    return expression.parts if isinstance(expression, And) else (expression,)


def _breadth(row: Row) -> int:
    """How many index rows may pass, roughly: an equal value finds the fewest."""
    comparisons = {comparison for column, comparison, _ in row.tests if column != "system"}
    return 0 if "=" in comparisons else 1 if "prefix" in comparisons else 2 if row.tests else 3


def _filled(row: FromClause, alternatives: Sequence[Row]) -> list[Clause]:
    """What the tests imply, but no database sees: with it, the indexes that leave out empty values can serve."""
    tested = [{column: comparison for column, comparison, _ in one.tests} for one in alternatives]
    clauses: list[Clause] = []
    if all(tests.keys() & {"low", "high"} for tests in tested):
        clauses.append(row.c.low.is_not(None))
    plain = len(tested) == 1 and tested[0].get("value") in {"=", "prefix"}
    if not plain and all("value" in tests for tests in tested):
        clauses.append(row.c.value.is_not(None))
    return clauses


def _compare(column: ColumnElement[Any], comparison: Comparison, value: Value, type_: TypeEngine[Any]) -> Clause:
    operand = sql_value(value, type_)
    match comparison:
        case "=":
            return column == operand
        case "!=":
            return column != operand
        case "<":
            return column < operand
        case "<=":
            return column <= operand
        case ">":
            return column > operand
        case ">=":
            return column >= operand
        case "prefix":
            return _starts_with(column, value)
        case "contains":
            return position(column, operand) > literal_column("0", Integer)
        case "lacks":
            return column.bitwise_and(operand) == literal_column("0", BigInteger)
        case "extends":
            return func.substr(operand, literal_column("1", Integer), func.length(column)) == column


def _starts_with(column: ColumnElement[Any], value: Value) -> Clause:
    if value == "":
        return column.is_not(None)
    start = sql_value(value, Text())
    end = Bind(next_place(value.name)) if isinstance(value, Bind) else after_prefix(str(value))
    return and_(column >= start, column < sql_value(end, Text()))
