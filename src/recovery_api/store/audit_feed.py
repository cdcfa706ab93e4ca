"""The audit log as it is read on: records in the order of their chains, each handed out once."""
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, ClauseElement, Text, delete, literal_column, select, update

from recovery_api.store.audit_chain import Record
from recovery_api.store.statement import bind
from recovery_api.store.tables import audit_anchor, audit_link, audit_progress, audit_record
from recovery_api.store.writer import Writer


class Fed(NamedTuple):
    """A record and its place."""

    chain: str
    place: int
    record: Record


async def take(writer: Writer, limit: int) -> list[Fed]:
    """The next records of all chains, which nobody else is given: they wait until this transaction ends."""
    find, following = writer.statements.steps("audit-feed", _finding)
    found: list[Fed] = []
    chains = cast("Sequence[tuple[str, int]]", await writer.connection.fetch(find.text, find.values({})))
    for chain, place in chains:
        named = {"chain": chain, "after": place, "limit": limit - len(found)}
        rows = await writer.connection.fetch(following.text, following.values(named))
        found += [Fed(chain, cast("int", at), Record._make(cast("Any", record))) for at, *record in rows]
        if len(found) == limit:
            break
    return found


async def done(writer: Writer, fed: Sequence[Fed]) -> None:
    """All of these are handled, and what came before them; chains that stopped and are done are forgotten."""
    proceed, forget = writer.statements.steps("audit-progress", _proceeding)
    reached = {one.chain: one.place for one in fed}
    await writer.connection.executemany(
        proceed.text, [proceed.values({"chain_of": chain, "reached": place}) for chain, place in reached.items()]
    )
    await writer.connection.execute(forget.text, forget.values({}))


def _finding() -> tuple[ClauseElement, ...]:
    find = select(audit_progress.c.chain, audit_progress.c.place).order_by(audit_progress.c.chain).with_for_update()
    following = (
        select(audit_link.c.place, *(audit_record.c[name] for name in Record._fields))
        .join(audit_record, audit_record.c.id == audit_link.c.id)
        .where(audit_link.c.chain == bind("chain", Text()), audit_link.c.place > bind("after", BigInteger()))
        .order_by(audit_link.c.place)
        .limit(bind("limit", BigInteger()))
    )
    return find, following


def _proceeding() -> tuple[ClauseElement, ...]:
    proceed = (
        update(audit_progress).values(place=bind("reached", BigInteger())).where(audit_progress.c.chain == bind("chain_of", Text()))
    )
    stopped = (
        select(literal_column("1", BigInteger))
        .where(audit_anchor.c.chain == audit_progress.c.chain, audit_anchor.c.event == "stop")
        .where(audit_anchor.c.place <= audit_progress.c.place)
        .exists()
    )
    return proceed, delete(audit_progress).where(stopped)
