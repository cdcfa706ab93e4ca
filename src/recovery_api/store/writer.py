"""Writing: what a transaction may do besides reading."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import BigInteger, ClauseElement, ScalarSelect, Text, delete, func, select, update
from sqlalchemy import cast as cast_to
from sqlalchemy.dialects import postgresql, sqlite

from recovery_api.fhir.errors import Conflict, PreconditionFailed
from recovery_api.fhir.search.expression import IndexRow, param_number
from recovery_api.store import consents, writes
from recovery_api.store.compile import Compiler, Scope
from recovery_api.store.engine import Connection
from recovery_api.store.follow import record_columns
from recovery_api.store.reader import WIDTH, Reader, held_context
from recovery_api.store.records import FRAMING, Context, Facets, Record, Relation
from recovery_api.store.relations import project
from recovery_api.store.statement import Statement, bind, text
from recovery_api.store.statements import Statements
from recovery_api.store.tables import claim, clock, resource
from recovery_api.store.visibility import Visibility

type_number = lru_cache(1024)(param_number)


NOTHING_SAID = Facets()
NO_PLANS = "0 0"
"""A writer's `plans` where there are none."""


class Writer(Reader):
    """One transaction. `stamp` is its time (microseconds, UTC): every version that it writes was last updated then.

    `plans` tells which PlanDefinitions were there when it began: it is another text as soon as one of them is another.
    """

    def __init__(
        self, connection: Connection, statements: Statements, visibility: Visibility, stamp: int, creator: str, plans: str
    ) -> None:
        super().__init__(connection, statements, visibility)
        self.stamp = stamp
        self.creator = creator
        self.plans = plans

    def seeing(self, visibility: Visibility) -> "Writer":
        """The same transaction, seen through another visibility."""
        return Writer(self.connection, self.statements, visibility, self.stamp, self.creator, self.plans)

    async def create(
        self, type: str, id: str, body: bytes, facets: Facets, rows: Sequence[IndexRow], *, version: int = 1, method: str = "POST"
    ) -> Record:
        """Store a new resource. Raises Conflict where the id is taken."""
        record = self._record(type, id, version, method, body, facets)
        if not await self._write("create", record, facets, rows, 0):
            raise Conflict(f"There is a {type} with the id {id} already.")
        return record

    async def update(
        self, type: str, id: str, expected: int, body: bytes, facets: Facets, rows: Sequence[IndexRow], *, method: str = "PUT"
    ) -> Record:
        """Store the version after the expected one; the resource keeps its creator.

        Raises PreconditionFailed where the current version is not the expected one, also when somebody else's write comes first.
        """
        record = self._record(type, id, expected + 1, method, body, facets)
        if not await self._write("update", record, facets, rows, expected):
            raise PreconditionFailed
        return record

    async def delete(self, type: str, id: str, expected: int) -> int:
        """Delete the resource, whose current version is the expected one; the version number of the deletion.

        The deletion keeps client, access class and parties of the last content. Raises PreconditionFailed as `update` does.
        """
        gone = self._record(type, id, expected + 1, "DELETE", None, NOTHING_SAID)
        if not await self._write("delete", gone, NOTHING_SAID, (), expected):
            raise PreconditionFailed
        await project(self, type, id, ())
        return gone.version

    def _record(self, type_: str, id_: str, version: int, method: str, body: bytes | None, said: Facets) -> Record:
        about = (said.client, said.kind, said.released, self.creator, said.labels, said.raised)
        return Record(type_, id_, version, self.stamp, method, *about, body)

    async def _write(self, kind: str, record: Record, facets: Facets, rows: Sequence[IndexRow], expected: int) -> bool:
        named: dict[str, Any] = {f"new_{name}": value for name, value in (record._asdict() | facets.columns).items()}
        named |= {"new_created": self.stamp, "new_type_number": type_number(record.type), "expected": expected}
        at_once = self.statements.dialect == "postgresql"
        done = await (self._at_once if at_once else self._in_steps)(kind, named, facets, rows)
        if done:
            await stated(self, record.type, record.id, facets)
        return done

    async def _at_once(self, kind: str, named: dict[str, Any], facets: Facets, rows: Sequence[IndexRow]) -> bool:
        statement = self.statements.fixed(f"{kind}-at-once", _AT_ONCE[kind])
        if kind != "delete":
            named.update(writes.index_columns(rows))
            named.update(writes.party_columns(facets.parties))
        [row] = await self.connection.fetch(statement.text, statement.values(named))
        return row[0] == 1

    async def _in_steps(self, kind: str, named: dict[str, Any], facets: Facets, rows: Sequence[IndexRow]) -> bool:
        first, *others = self.statements.steps(kind, _IN_STEPS[kind])
        if await self.connection.execute(first.text, first.values(named)) != 1:
            return False
        for step in others:
            await self.connection.execute(step.text, step.values(named))
        number, id_, client = named["new_type_number"], named["new_id"], named["new_client"]
        await self.connection.copy("search_index", writes.INDEX_COLUMNS, [(row[0], number, id_, client, *row[1:]) for row in rows])
        await self.connection.copy("party", writes.PARTY_COLUMNS, party_rows(named["new_type"], id_, named["new_version"], facets))
        return True

    async def lock(self, type: str, id: str) -> Record | None:
        """The current version, held until the transaction ends: nobody else can change it, nor its client's context.

        Where somebody else has just changed it, PostgreSQL judges the version that it waited for by parties that the statement does not
        see yet, and finds nothing: what is read afresh is then asked for again.
        """
        statement = self.statements.get(("lock", type, self.visibility.key), lambda: self._locking(type))
        while not (rows := await self.fetch(statement, {"id": id})):
            if self.statements.dialect == "sqlite" or await self.read(type, id) is None:
                return None
        record, context = Record._make(cast("Any", rows[0][:WIDTH])), cast("int | None", rows[0][WIDTH])
        if context is not None:
            self.contexts[record.client] = Context(context, alone=type in FRAMING)
        return record

    def _locking(self, type_: str) -> Statement:
        compiler = Compiler(self.statements.dialect, self.statements.parameters, self.visibility)
        visible = compiler.visible(Scope(resource, (type_,), single=True))
        mine, this = resource.alias(), bind("id", Text())
        client = select(mine.c.client).where(mine.c.type == text(type_), mine.c.id == this)
        context = held_context(client.scalar_subquery(), alone=type_ in FRAMING).cte("context")
        columns = [*record_columns(compiler, resource, (type_,)), context.c.labels.label("context_labels")]
        found = select(*columns).join_from(resource, context, context.c.client == resource.c.client, isouter=True)
        return self.statements.compiled(found.where(visible, resource.c.id == this).with_for_update(of=resource))

    async def claim(self, key: str) -> bool:
        """Take the key until it is released; False where it is taken. Waits for a transaction that has just taken it."""
        statement = self.statements.fixed("claim", lambda: _claim(self.statements.dialect))
        return await self.connection.execute(statement.text, [key]) == 1

    async def release(self, key: str) -> None:
        """Give the key back; others have it when this transaction ends."""
        statement = self.statements.fixed("release", lambda: delete(claim).where(claim.c.key == bind("key", Text())))
        await self.connection.execute(statement.text, [key])

    async def project(self, source_type: str, source_id: str, relations: Iterable[Relation]) -> None:
        """These relations, and no others, are what the source says; those that follow are made anew."""
        await project(self, source_type, source_id, tuple(relations))


async def stated(writer: Writer, type: str, id: str, facets: Facets) -> None:
    """Keep what a resource states beyond itself: relations, and what a Consent opens and closes."""
    if facets.relations is not None:
        await project(writer, type, id, facets.relations)
    if facets.consent_rules is not None:
        await consents.replace(writer, id, facets.consent_rules)


def party_rows(type_: str, id_: str, version: int, facets: Facets) -> list[tuple[str | int, ...]]:
    """The rows of `party` for one version."""
    rows: list[tuple[str | int, ...]] = []
    for role, holder in facets.parties:
        holder_type, _, holder_id = holder.rpartition("/")
        rows.append((type_, id_, version, role, holder, holder_type, holder_id))
    return rows


async def give_stamp(connection: Connection, statements: Statements, now: int) -> tuple[int, str]:
    """The stamp of a transaction that begins: now, or just after the last one given; and its `plans`."""
    statement = statements.fixed("stamp", lambda: _stamp(statements.dialect == "postgresql"))
    [row] = await connection.fetch(statement.text, statement.values({"now": now}))
    return cast("int", row[0]), cast("str", row[1])


def _stamp(by_function: bool) -> ClauseElement:
    now = bind("now", BigInteger())
    if by_function:
        return select(func.give_stamp(now), _plans())
    return update(clock).values(stamp=func.max(now, clock.c.stamp + 1)).returning(clock.c.stamp, _plans())


def _plans() -> ScalarSelect[str]:
    count, latest = (cast_to(one, Text) for one in (func.count(), func.coalesce(func.max(resource.c.last_updated), 0)))
    return select(count + text(" ") + latest).where(resource.c.type == text("PlanDefinition")).scalar_subquery()


def _claim(dialect: str) -> ClauseElement:
    into = (postgresql if dialect == "postgresql" else sqlite).insert(claim)
    return into.values(key=bind("claimed", Text())).on_conflict_do_nothing()


_AT_ONCE: dict[str, Callable[[], ClauseElement]] = {
    "create": writes.create_at_once,
    "update": writes.update_at_once,
    "delete": writes.delete_at_once,
}
_IN_STEPS: dict[str, Callable[[], tuple[ClauseElement, ...]]] = {
    "create": writes.create_in_steps,
    "update": writes.update_in_steps,
    "delete": writes.delete_in_steps,
}
