"""The audit log: records that are on the disk before the answer that they speak of leaves, many of them with one write.

While one group is being written the next one gathers, until all who are on their way have come. Each process links its records in a
chain of its own, in the order in which it writes them; a record that a writer kept in its own transaction is linked after the commit.
Where each chain stands is anchored in one common chain. A group whose fate is unknown ends its chain, and the next one begins another.
"""
import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import BigInteger, ClauseElement, LargeBinary, Select, Text, func, insert, literal_column, select
from sqlalchemy.types import ARRAY, TypeEngine

from recovery_api.fhir.errors import ServiceUnavailable
from recovery_api.store.audit_chain import UNSEALED, Anchor, Link, Record, beginning, continued, sealed
from recovery_api.store.engine import Connection
from recovery_api.store.statement import bind
from recovery_api.store.statements import Statements
from recovery_api.store.tables import audit_anchor, audit_link, audit_record
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM
from recovery_api.store.writer import Writer

ADOPTED_AFTER: Final = 300_000_000
"""Microseconds after which a record without a link is one that a dead process left behind."""

PATIENCE: Final = 0.002
"""Seconds that a group waits at most for those who are on their way."""

_ANCHORING: Final = "audit-anchor"
_RECORD: Final[dict[str, TypeEngine[Any]]] = {"id": Text(), "stamp": BigInteger(), "body": LargeBinary()}
_LINKED: Final[dict[str, TypeEngine[Any]]] = {**_RECORD, "hash": LargeBinary()}

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Group:
    """Records that are written together; of them, `new` ones are not in the database yet. `size` counts who waits for them."""

    records: list[Record] = field(default_factory=list[Record])
    new: list[Record] = field(default_factory=list[Record])
    size: int = 0
    due: bool = False
    deadline: asyncio.TimerHandle | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    written: bool = False


class AuditLog:
    """This process's way to the log."""

    def __init__(self, store: Store, key: bytes, new_id: Callable[[], str], clock: Callable[[], int]) -> None:
        """`key` seals the anchors; `clock` gives microseconds since the epoch, UTC."""
        self._store = store
        self._key = key
        self._new_id = new_id
        self._clock = clock
        self._turn = asyncio.Lock()
        self._under_way = 0
        self._waiting: _Group | None = None
        self._task: asyncio.Task[None] | None = None
        self._chain = ""
        self._place = 0
        self._head = b""
        self._anchored = 0

    def expect(self) -> None:
        """Somebody is on their way to record something: a group may wait for them, though not for long. They must say `passed`."""
        self._under_way += 1

    def passed(self) -> None:
        """They came, or won't."""
        self._under_way -= 1
        if self._waiting is not None and self._waiting.size >= self._under_way:
            self._begin()

    async def append(self, bodies: Sequence[bytes]) -> None:
        """Write records of events; they are on the disk when this returns. Raises ServiceUnavailable where they are not."""
        now = self._clock()
        records = [Record(self._new_id(), now, body) for body in bodies]
        if records and not await self._written(records, new=True):
            raise ServiceUnavailable

    async def keep(self, writer: Writer, bodies: Sequence[bytes]) -> list[Record]:
        """Write records in the transaction of what they speak of; give them to `link` when it is committed.

        Raises ServiceUnavailable where they can't be written.
        """
        records = [Record(self._new_id(), writer.stamp, body) for body in bodies]
        try:
            await _keep(writer.connection, writer.statements, records)
        except Exception as error:
            raise ServiceUnavailable from error
        return records

    async def link(self, records: Sequence[Record]) -> None:
        """Link records that were kept, and are committed. What can't be linked now is adopted later: it is durable all the same."""
        if records and not await self._written(records, new=False):
            log.error("%d audit records wait for a link.", len(records))

    async def anchor(self) -> None:
        """Say in the common chain where this process's chain stands, if it went on since it was last said."""
        async with self._turn:
            if self._chain and self._place != self._anchored:
                await self._anchor("minute")

    async def close(self) -> None:
        """Write what waits, and say where the chain stops."""
        if self._task is not None:
            await self._task
        async with self._turn:
            if self._chain:
                try:
                    await self._anchor("stop")
                except Exception:
                    log.exception("The end of the audit chain can't be anchored.")
            self._chain = ""

    async def _written(self, records: Sequence[Record], *, new: bool) -> bool:
        group = self._waiting
        if group is None:
            group = self._waiting = _Group()
        group.records += records
        group.size += 1
        if new:
            group.new += records
        if group.size >= self._under_way:
            self._begin()
        elif group.deadline is None:
            group.deadline = asyncio.get_running_loop().call_later(PATIENCE, self._begin)
        await group.settled.wait()
        return group.written

    def _begin(self) -> None:
        """Write what waits, now or as soon as what is being written is done."""
        if self._waiting is None:
            return
        self._waiting.due = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        """Write groups until none is due."""
        while self._waiting is not None and self._waiting.due:
            async with self._turn:
                group, self._waiting = self._waiting, None
                if group.deadline is not None:
                    group.deadline.cancel()
                try:
                    await self._flush(group)
                    group.written = True
                except Exception:
                    log.exception("The audit log can't be written.")
                    self._chain = ""
                finally:
                    group.settled.set()

    async def _flush(self, group: _Group) -> None:
        if not self._chain:
            self._chain = secrets.token_hex(16)
            self._place, self._head = 0, beginning(self._chain)
            await self._anchor("start")
        links = continued(self._chain, self._place, self._head, group.records)
        async with self._store.appending() as connection:
            await _append(connection, self._store.statements, group, links)
        self._place, self._head = links[-1].place, links[-1].hash

    async def _anchor(self, event: str) -> None:
        """Adopt what dead processes left without a link, then anchor."""
        async with self._store.writer(SYSTEM) as writer:
            await writer.claim(_ANCHORING)
            last, seal = await last_anchor(writer)
            until = max(last.linked_until, min(await writer.horizon(), self._clock()) - ADOPTED_AFTER)
            links = continued(self._chain, self._place, self._head, await _unlinked(writer, last.linked_until, until))
            await writer.connection.copy("audit_link", Link._fields, links)
            place, head = (links[-1].place, links[-1].hash) if links else (self._place, self._head)
            anchor = Anchor(last.sequence + 1, writer.stamp, event, self._chain, place, head, until)
            row = (*anchor, sealed(self._key, seal, anchor))
            await writer.connection.copy("audit_anchor", (*Anchor._fields, "seal"), [row])
            if event == "start":
                await writer.connection.copy("audit_progress", ("chain", "place"), [(self._chain, 0)])
            await writer.release(_ANCHORING)
        self._place, self._head, self._anchored = place, head, place


async def last_anchor(writer: Writer) -> tuple[Anchor, bytes]:
    """The newest anchor and its seal; before the first one, one with the number 0."""
    statement = writer.statements.fixed("last-anchor", lambda: _anchors().order_by(audit_anchor.c.sequence.desc()).limit(1))
    rows = await writer.connection.fetch(statement.text, statement.values({}))
    if not rows:
        return Anchor(0, 0, "", "", 0, b"", 0), UNSEALED
    *said, seal = rows[0]
    return Anchor._make(cast("Any", said)), cast("bytes", seal)


def _anchors() -> Select[*tuple[Any, ...]]:
    return select(*(audit_anchor.c[name] for name in (*Anchor._fields, "seal")))


async def _unlinked(writer: Writer, after: int, until: int) -> list[Record]:
    statement = writer.statements.fixed("unlinked", _unlinked_statement)
    rows = await writer.connection.fetch(statement.text, statement.values({"after": after, "until": until}))
    return [Record._make(cast("Any", row)) for row in rows]


def _unlinked_statement() -> ClauseElement:
    there = select(literal_column("1", BigInteger)).where(audit_link.c.id == audit_record.c.id).exists()
    stamp = audit_record.c.stamp
    within = (stamp > bind("after", BigInteger()), stamp <= bind("until", BigInteger()))
    columns = [audit_record.c[name] for name in Record._fields]
    return select(*columns).where(*within, ~there).order_by(stamp, audit_record.c.id)


async def _keep(connection: Connection, statements: Statements, records: Sequence[Record]) -> None:
    if statements.dialect == "sqlite":
        await connection.copy("audit_record", Record._fields, records)
        return
    statement = statements.fixed("audit-keep", _keep_statement)
    named = {name: [record[place] for record in records] for place, name in enumerate(_RECORD)}
    await connection.execute(statement.text, statement.values(cast("Any", named)))


async def _append(connection: Connection, statements: Statements, group: _Group, links: Sequence[Link]) -> None:
    """Insert rows of both tables: one statement on PostgreSQL."""
    if statements.dialect == "sqlite":
        await connection.copy("audit_record", Record._fields, group.new)
        await connection.copy("audit_link", Link._fields, links)
        return
    new = {record.id for record in group.new}
    statement = statements.fixed("audit-append", _append_statement)
    named: dict[str, Any] = {
        "id": [record.id for record in group.records],
        "stamp": [record.stamp for record in group.records],
        "body": [record.body if record.id in new else None for record in group.records],
        "hash": [link.hash for link in links],
        "chain_of": links[0].chain,
        "before": links[0].place - 1,
    }
    await connection.execute(statement.text, statement.values(named))


def _keep_statement() -> ClauseElement:
    rows = func.unnest(*_arrays(_RECORD)).table_valued(*_RECORD).render_derived(name="kept")
    return insert(audit_record).from_select(list(_RECORD), _columns(_RECORD, rows))


def _append_statement() -> ClauseElement:
    """A record without a body is there already."""
    unnested = func.unnest(*_arrays(_LINKED)).table_valued(*_LINKED, with_ordinality="number").render_derived(name="unnested")
    rows = _columns({**_LINKED, "number": BigInteger()}, unnested).cte("linked")
    kept = insert(audit_record).from_select(list(_RECORD), select(*(rows.c[name] for name in _RECORD)).where(rows.c.body.is_not(None)))
    place: Any = rows.c.number + bind("before", BigInteger())
    links = select(bind("chain_of", Text()), place, rows.c.id, rows.c.hash)
    return insert(audit_link).from_select(list(Link._fields), links).add_cte(kept.cte("kept"))


def _arrays(columns: Mapping[str, TypeEngine[Any]]) -> list[Any]:
    return [bind(name, ARRAY(type_)) for name, type_ in columns.items()]


def _columns(columns: Mapping[str, TypeEngine[Any]], rows: Any) -> Select[*tuple[Any, ...]]:
    return select(*(literal_column(f"{rows.name}.{name}", type_).label(name) for name, type_ in columns.items())).select_from(rows)
