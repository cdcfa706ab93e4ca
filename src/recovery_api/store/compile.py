"""Compiles an expression to SQL. It means in SQL what `fhir/search/match.py` says it means in memory.

Positive conditions are semi-joins (`id IN (SELECT …)`), never joins on another column, so a sharded database can run them.
A column that is NULL passes no test.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    exists,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.types import TypeEngine

from recovery_api.fhir.search.expression import (
    And,
    Bind,
    Chain,
    ClientOf,
    Comparison,
    Expression,
    Has,
    Not,
    Or,
    Own,
    Party,
    PartyIn,
    Row,
    Value,
    Via,
    param_number,
)
from recovery_api.store.lift import after_prefix, next_place
from recovery_api.store.position import position
from recovery_api.store.records import Parameter, Parameters
from recovery_api.store.statement import Dialect, bind
from recovery_api.store.tables import party, relation, resource, search_index
from recovery_api.store.visibility import Visibility

Clause: TypeAlias = ColumnElement[bool]
DAY = 86_400_000_000
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
    clients: Select[str] | None = None
    """The only clients that it can belong to, where the query or the rule says so."""
    single: bool = False
    """It is one row, found by its key: conditions probe for it and do not gather candidates."""
    caller: bool = True
    """The condition is the caller's: what is left out for them finds nothing."""


class Compiler:
    """Compiles for one visibility on one dialect."""

    def __init__(self, dialect: Dialect, parameters: Parameters, visibility: Visibility) -> None:
        self.dialect: Dialect = dialect
        self._parameters = parameters
        self._visibility = visibility

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

    def found(self, expression: Expression, scope: Scope, *, versions: bool = False) -> Clause:
        """What the caller asks for, among what they may see."""
        client = self.client(expression)
        clients = self._clients(expression, scope) if client is None else None
        visible = self.visible(scope._replace(client=client), versions=versions)
        return and_(self._all(expression, scope._replace(client=client, clients=clients)), visible)

    def client(self, expression: Expression) -> ColumnElement[str] | None:
        """The one client that the expression asks for, if it does."""
        for part in _parts(expression):
            if isinstance(part, Own) and part.column == "client" and part.comparison == "=":
                return cast("ColumnElement[str]", _sql_value(part.value, Text()))
        return None

    def few_clients(self, expression: Expression, types: tuple[str, ...]) -> bool:
        """Matches belong to some clients, of whom there are few beside all."""
        scope = Scope(resource, types)
        return self.client(expression) is None and self._clients(expression, scope) is not None

    def _clients(self, expression: Expression, scope: Scope) -> Select[str] | None:
        """The clients of a chain over the client column, else those of the rule: so few that index rows are sought by client."""
        for part in _parts(expression):
            if isinstance(part, Chain) and self.by_client(part.param) and not (scope.caller and self._visibility.hides(part.param)):
                return self._clients_where(part.targets, scope)
        rules = {self._visibility.rule(type_) for type_ in scope.types}
        if len(rules) == 1:
            for part in _parts(rules.pop()):
                if isinstance(part, ClientOf):
                    return self._related(part)
        return None

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
                return and_(said, _now_too(scope.table, value)) if comparison == "lacks" and "created" not in scope.table.c else said
            case Chain(param, targets):
                return self._chain(param, targets, scope)
            case Has():
                return self._has(expression, scope)
            case ClientOf():
                return self._client_of(expression, scope)
            case Party(roles, holder):
                return self._party(roles, party.c.holder == _sql_value(holder, Text()), scope)
            case PartyIn(roles, kinds, holder):
                held = select(relation.c.client).where(*self._now(kinds, holder))
                return self._party(roles, party.c.holder.in_(held), scope)
            case Via(role):
                return self._via(role, scope)

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
        found = [self._numbered(row, param), tests]
        if not probing:
            found += [*_owned(row, scope), *_filled(row, alternatives)]
        return self._semi(scope.table.c.id, select(row.c.id).where(*found), probing)

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
        return exists(found.with_only_columns(literal_column("1", Integer)).where(column == element))

    def _chain(self, param: str, targets: Sequence[tuple[str, Expression]], scope: Scope) -> Clause:
        if scope.caller and self._visibility.hides(param):
            return false()
        if self.by_client(param):
            return self._semi(scope.table.c.client, self._clients_where(targets, scope), scope.single)
        row = search_index.alias()
        reached = or_(
            false(),
            *(and_(row.c.system == _text(type_), row.c.value.in_(self._targets(type_, where, scope))) for type_, where in targets),
        )
        found = select(row.c.id).where(self._numbered(row, param), reached)
        if not scope.single:
            found = found.where(*_owned(row, scope))
        return self._semi(scope.table.c.id, found, scope.single)

    def _clients_where(self, targets: Sequence[tuple[str, Expression]], scope: Scope) -> Select[str]:
        [where] = [where for type_, where in targets if type_ == "Patient"] or [Or()]
        return self._targets("Patient", where, scope)

    def _targets(self, type_: str, where: Expression, scope: Scope) -> Select[str]:
        table = resource.alias()
        inner = Scope(table, (type_,), caller=scope.caller)
        return select(table.c.id).where(self.found(where, inner))

    def _has(self, node: Has, scope: Scope) -> Clause:
        if scope.caller and self._visibility.hides(node.param):
            return false()
        table = resource.alias()
        pointing = self.found(node.where, Scope(table, (node.type,), caller=scope.caller))
        if self.by_client(node.param):
            here = self._semi(scope.table.c.id, select(table.c.client).where(pointing), scope.single)
            return and_(scope.table.c.type == _text("Patient"), here)
        row = search_index.alias()
        found = select(row.c.value).where(self._numbered(row, node.param), row.c.id.in_(select(table.c.id).where(pointing)))
        if len(scope.types) == 1:
            return self._semi(scope.table.c.id, found.where(row.c.system == _text(scope.types[0])), scope.single)
        return self._semi(scope.table.c.id, found.where(row.c.system == scope.table.c.type), probing=True)

    # Policy

    def _now(self, kinds: Sequence[str], holder: Value, grace: int = 0) -> list[Clause]:
        now = bind("now", BigInteger())
        ends = relation.c.ends > now - literal(grace * DAY, BigInteger, literal_execute=True) if grace else relation.c.ends > now
        return [
            relation.c.holder == _sql_value(holder, Text()),
            one_of(relation.c.kind, kinds),
            relation.c.starts <= now,
            ends,
        ]

    def _client_of(self, node: ClientOf, scope: Scope) -> Clause:
        related = self._related(node)
        if scope.client is not None:
            return exists(related.with_only_columns(literal_column("1", Integer)).where(relation.c.client == scope.client))
        return self._semi(scope.table.c.client, related, scope.single)

    def _related(self, node: ClientOf) -> Select[str]:
        """The clients who stand in the relation now."""
        where = self._now(node.kinds, node.holder, node.grace)
        if node.organization is not None:
            where.append(relation.c.organization == _sql_value(node.organization, Text()))
        if node.qualifiers:
            where.append(or_(*(relation.c.qualifier == _sql_value(value, Text()) for value in node.qualifiers)))
        return select(relation.c.client).where(*where)

    def _party(self, roles: Sequence[str], holder: Clause, scope: Scope) -> Clause:
        return exists(select(literal_column("1", Integer)).where(_of_version(scope.table), one_of(party.c.role, roles), holder))

    def _via(self, role: str, scope: Scope) -> Clause:
        table = resource.alias()
        readable = {type_: rule for type_, rule in self._visibility.rules.items() if not _looks_further(rule)}
        if self._visibility.complete:
            reached: Clause = true()
        else:
            inner = Scope(table, tuple(readable), single=True, caller=False)
            reached = self.visible(inner) if readable else false()
        target = exists(
            select(literal_column("1", Integer)).where(table.c.type == party.c.holder_type, table.c.id == party.c.holder_id, reached)
        )
        return self._party((role,), target, scope)


def _parts(expression: Expression) -> tuple[Expression, ...]:
    """What must hold together."""
    return expression.parts if isinstance(expression, And) else (expression,)


def _breadth(row: Row) -> int:
    """How many index rows may pass, roughly: an equal value finds the fewest."""
    comparisons = {comparison for column, comparison, _ in row.tests if column != "system"}
    return 0 if "=" in comparisons else 1 if "prefix" in comparisons else 2 if row.tests else 3


def _owned(row: FromClause, scope: Scope) -> list[Clause]:
    """The index row belongs to one of the clients that the resource can belong to."""
    if scope.client is not None:
        return [row.c.client == scope.client]
    return [] if scope.clients is None else [row.c.client.in_(scope.clients)]


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


def _looks_further(rule: Expression) -> bool:
    """The rule itself looks at what the resource points at: one step is enough."""
    match rule:
        case And(parts) | Or(parts):
            return any(map(_looks_further, parts))
        case Not(part):
            return _looks_further(part)
        case Via():
            return True
        case _:
            return False


def _of_version(table: FromClause) -> Clause:
    return and_(party.c.id == table.c.id, party.c.type == table.c.type, party.c.version == table.c.version)


def _now_too(version: FromClause, value: Value) -> Clause:
    """A superseded version is under the current labels too (world.md, decision 3)."""
    now = resource.alias()
    labelled = now.c.labels.bitwise_and(_sql_value(value, BigInteger())) != literal_column("0", BigInteger)
    return not_(exists(select(literal_column("1", Integer)).where(now.c.type == version.c.type, now.c.id == version.c.id, labelled)))


def _text(value: str) -> ColumnElement[str]:
    return literal(value, Text, literal_execute=True)


def one_of(column: ColumnElement[Any], values: Sequence[str] | Sequence[int]) -> Clause:
    """The column is one of values that stand in the text of the statement."""
    literals = [literal(value, column.type, literal_execute=True) for value in values]
    return column == literals[0] if len(literals) == 1 else column.in_(literals)


def _sql_value(value: Value, type_: TypeEngine[Any]) -> ColumnElement[Any]:
    if isinstance(value, Bind):
        return bind(value.name, type_)
    return literal(value, type_, literal_execute=True)


def _compare(column: ColumnElement[Any], comparison: Comparison, value: Value, type_: TypeEngine[Any]) -> Clause:
    operand = _sql_value(value, type_)
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
    start = _sql_value(value, Text())
    end = Bind(next_place(value.name)) if isinstance(value, Bind) else after_prefix(str(value))
    return and_(column >= start, column < _sql_value(end, Text()))
