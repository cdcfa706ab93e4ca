"""Examines the audit log: every record is what it was when it was linked, in its place, and none is missing."""
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import BigInteger, ClauseElement, Text, and_, func, or_, select

from recovery_api.store.audit_chain import UNSEALED, Anchor, Record, beginning, linked, sealed
from recovery_api.store.reader import Reader
from recovery_api.store.statement import bind
from recovery_api.store.tables import audit_anchor, audit_link, audit_record
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM

PAGE: Final = 2_000


class _Row(NamedTuple):
    """A link and its record; without one, `stamp` and `body` are None."""

    chain: str
    place: int
    id: str
    hash: bytes
    stamp: int | None
    body: bytes | None


class _Broken(NamedTuple):
    """A link whose hash is not that of its record after the one before it."""

    place: int
    record: Record
    before: bytes
    hash: bytes


@dataclass(slots=True)
class Found:
    """What was examined, and one sentence for each thing that is not as it was written."""

    records: int = 0
    chains: int = 0
    anchors: int = 0
    unlinked: int = 0
    """Records so young that they need no link yet."""
    breaks: list[str] = field(default_factory=list[str])


async def length(store: Store) -> int:
    """How many links there are to examine."""
    statement = store.statements.fixed("audit-length", lambda: select(func.count()).select_from(audit_link))
    async with store.reader(SYSTEM) as reader:
        [row] = await reader.connection.fetch(statement.text)
    return cast("int", row[0])


async def check(store: Store, key: bytes, progress: Callable[[int], None]) -> Found:
    """Examine all of the log as it is at one moment. `key` is what anchors are sealed with; `progress` hears how many links were read."""
    found = Found()
    async with store.reader(SYSTEM, snapshot=True) as reader:
        anchored, linked_until = await _check_anchors(reader, key, found)
        chain = _Chain("", {}, found)
        async for row in _rows(reader, progress):
            if row.chain != chain.name:
                chain.end()
                chain = _Chain(row.chain, anchored.pop(row.chain, {}), found)
            chain.follow(row)
        chain.end()
        for name, places in anchored.items():
            _Chain(name, places, found).end()
        await _check_unlinked(reader, linked_until, found)
    return found


class _Chain:
    """One chain, followed from its beginning. `anchored` are the hashes that it must have, by place."""

    def __init__(self, name: str, anchored: dict[int, bytes], found: Found) -> None:
        self.name = name
        self._anchored = anchored
        self._found = found
        self._place = 0
        self._head = beginning(name)
        self._broken: list[_Broken] = []
        if name:
            found.chains += 1
            if not anchored:
                found.breaks.append(f"Chain {name}: its start is not anchored.")
        self._meet_anchor()

    def follow(self, row: _Row) -> None:
        """The next link."""
        self._found.records += 1
        if row.place != self._place + 1:
            self._found.breaks.append(f"Chain {self.name}: the links from place {self._place + 1} to {row.place - 1} are missing.")
        elif row.stamp is None or row.body is None:
            self._found.breaks.append(f"Chain {self.name}, place {row.place}: the record {row.id} is missing.")
        else:
            record = Record(row.id, row.stamp, row.body)
            if linked(self._head, record) != row.hash:
                self._broken.append(_Broken(row.place, record, self._head, row.hash))
        self._place, self._head = row.place, row.hash
        self._meet_anchor()

    def end(self) -> None:
        """No link follows."""
        if self._anchored:
            first, last = self._place + 1, max(self._anchored)
            self._found.breaks.append(f"Chain {self.name}: the links from place {first} on are missing: it was anchored at {last}.")
        moved = set(_moved(self._broken))
        for one in self._broken:
            what = "is not in its place" if one.place in moved else "was changed"
            self._found.breaks.append(f"Chain {self.name}, place {one.place}: the record {one.record.id} {what}.")

    def _meet_anchor(self) -> None:
        head = self._anchored.pop(self._place, None)
        if head is not None and head != self._head:
            self._found.breaks.append(f"Chain {self.name}, place {self._place}: it is not the chain that was anchored.")


def _moved(broken: Sequence[_Broken]) -> Iterator[int]:
    """The places whose records fit elsewhere: after another record, or under another hash."""
    if len(broken) > PAGE:
        return
    befores = {before for one in broken for before in (one.before, one.hash)}
    hashes = {one.hash for one in broken}
    for one in broken:
        if any(linked(before, one.record) in hashes for before in befores):
            yield one.place


async def _check_anchors(reader: Reader, key: bytes, found: Found) -> tuple[dict[str, dict[int, bytes]], int]:
    """The hashes that chains must have, by place; and up to which stamp every record must have a link."""
    anchored: dict[str, dict[int, bytes]] = {}
    seal, last = UNSEALED, 0
    until = 0
    for anchor, own_seal in await _anchors(reader):
        if anchor.sequence != last + 1:
            found.breaks.append(f"The anchors from {last + 1} to {anchor.sequence - 1} are missing.")
        elif sealed(key, seal, anchor) != own_seal:
            found.breaks.append(f"The anchor {anchor.sequence} was changed, or is not in its place.")
        last, seal, until = anchor.sequence, own_seal, max(until, anchor.linked_until)
        anchored.setdefault(anchor.chain, {})[anchor.place] = anchor.head
        found.anchors += 1
    return anchored, until


async def _anchors(reader: Reader) -> Iterable[tuple[Anchor, bytes]]:
    columns = [audit_anchor.c[name] for name in (*Anchor._fields, "seal")]
    statement = reader.statements.fixed("anchors", lambda: select(*columns).order_by(audit_anchor.c.sequence))
    rows = cast("Sequence[tuple[Any, ...]]", await reader.connection.fetch(statement.text, statement.values({})))
    return ((Anchor._make(said), seal) for *said, seal in rows)


async def _rows(reader: Reader, progress: Callable[[int], None]) -> AsyncIterator[_Row]:
    statement = reader.statements.fixed("audit-rows", _rows_statement)
    chain, place = "", 0
    while True:
        named = {"chain": chain, "place": place, "limit": PAGE}
        rows = await reader.connection.fetch(statement.text, statement.values(named))
        for row in rows:
            yield _Row._make(cast("Any", row))
        progress(len(rows))
        if len(rows) < PAGE:
            return
        chain, place = cast("tuple[str, int]", tuple(rows[-1][:2]))


def _rows_statement() -> ClauseElement:
    chain, place = bind("chain", Text()), bind("place", BigInteger())
    after = or_(audit_link.c.chain > chain, and_(audit_link.c.chain == chain, audit_link.c.place > place))
    links = (
        select(audit_link)
        .where(audit_link.c.chain >= chain, after)
        .order_by(audit_link.c.chain, audit_link.c.place)
        .limit(bind("limit", BigInteger()))
        .subquery()
    )
    record = audit_record.c
    return (
        select(links.c.chain, links.c.place, links.c.id, links.c.hash, record.stamp, record.body)
        .select_from(links.outerjoin(audit_record, record.id == links.c.id))
        .order_by(links.c.chain, links.c.place)
    )


async def _check_unlinked(reader: Reader, linked_until: int, found: Found) -> None:
    statement = reader.statements.fixed("audit-unlinked", _unlinked_statement)
    for id, stamp in cast("Sequence[tuple[str, int]]", await reader.connection.fetch(statement.text, statement.values({}))):
        if stamp <= linked_until:
            found.breaks.append(f"The record {id} has no link.")
        else:
            found.unlinked += 1


def _unlinked_statement() -> ClauseElement:
    there = select(audit_link.c.place).where(audit_link.c.id == audit_record.c.id).exists()
    return select(audit_record.c.id, audit_record.c.stamp).where(~there).order_by(audit_record.c.stamp, audit_record.c.id)
