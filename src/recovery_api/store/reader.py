"""Reading, seen through a visibility: what the caller may not see is not there."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from sqlalchemy import ColumnElement, FromClause, Integer, Select, Text, literal_column, null, or_, select, union_all

from recovery_api.store.compile import Clause, Compiler, Scope
from recovery_api.store.connected import Connected
from recovery_api.store.engine import Connection, Row
from recovery_api.store.follow import linked, record_columns
from recovery_api.store.includes import MAX_INCLUDED, included
from recovery_api.store.records import STORED, Context, Record
from recovery_api.store.search import Cursor, Page, SearchQuery, count_statement, page_statement
from recovery_api.store.statement import Dialect, SqlValue, Statement, bind, in_list, one_of, text, text_list
from recovery_api.store.statements import Statements, horizon, last_stamp
from recovery_api.store.tables import claim, client_context, history, party, resource
from recovery_api.store.visibility import SYSTEM, Visibility

WIDTH = len(Record._fields)


def _cursor(query: SearchQuery, last: Row, now: int) -> Cursor:
    """The place behind the last match. Its snapshot is the moment before now, and not when anybody wrote last."""
    keys = WIDTH + len(query.sort)
    sorted_by = cast("tuple[str | float | None, ...]", tuple(last[WIDTH:keys]))
    snapshot = max(cast("int", last[keys]), now - 1) if query.cursor is None else query.cursor.snapshot
    return Cursor(snapshot, sorted_by, cast("str", last[1]), cast("str", last[0]))


def _clients_pointed_at(dialect: Dialect) -> Select[str, str, int, str]:
    found = (party.c.type, party.c.id, party.c.version, resource.c.client)
    there = (resource.c.type == party.c.holder_type, resource.c.id == party.c.holder_id, resource.c.client != text(""))
    role = one_of(party.c.role, ("target", "security-context"))
    return select(*found).where(in_list(party.c.id, "ids", dialect), role, *there).distinct().order_by(resource.c.client)


class Reader(Connected):
    """Reads on one connection."""

    def __init__(self, connection: Connection, statements: Statements, visibility: Visibility) -> None:
        super().__init__(connection, statements, visibility)
        self.contexts: dict[str, Context] = {}
        """Of clients whose context was read along with something else, by their id."""

    def seeing(self, visibility: Visibility) -> "Reader":
        """The same connection, and transaction if there is one, seen through another visibility."""
        return Reader(self.connection, self.statements, visibility)

    async def read(self, type: str, id: str) -> Record | None:
        """The current version."""
        visibility = self.visibility
        statement = self.statements.get(("read", type, visibility.key), lambda: self._reading(resource, type, visibility))
        return await self._one(statement, {"id": id})

    async def vread(self, type: str, id: str, version: int) -> Record | None:
        """One version, current or superseded, judged by what it says itself; a deletion has no body."""
        statement = self.statements.get(("vread", type, self.visibility.key), lambda: self._version(type))
        return await self._one(statement, {"id": id, "version": version})

    async def deleted(self, type: str, id: str) -> Record | None:
        """The deletion that the resource ended with, where its last content could be seen; None where it is not deleted."""
        statement = self.statements.get(("deleted", type, self.visibility.key), lambda: self._deletion(type))
        return await self._one(statement, {"id": id})

    async def search(self, query: SearchQuery) -> Page:
        """A page of matches, with what they include."""
        behind = await self.horizon() if query.behind_horizon else 0
        statement, values = page_statement(query, self.visibility, self.statements, behind)
        rows = await self.connection.fetch(statement.text, values)
        records = [Record._make(row[:WIDTH]) for row in rows]
        following, total = None, None
        if len(rows) > query.count:
            del records[query.count :]
            following = _cursor(query, rows[query.count - 1], cast("int", self.visibility.binds.get("now", 0))) if query.count else None
        elif query.cursor is None:
            total = len(records)
        if total is None and query.want_total:
            total = await self.count(query)
        found = (await included(self, query, records))[:MAX_INCLUDED] if query.includes else []
        return Page(records, found, total, following)

    async def pages(self, query: SearchQuery) -> AsyncIterator[Page]:
        """All pages of matches, one after the other."""
        while True:
            page = await self.search(query)
            yield page
            if page.next is None:
                return
            query = replace(query, cursor=page.next)

    async def count(self, query: SearchQuery) -> int:
        """How many match in all."""
        behind = await self.horizon() if query.behind_horizon else 0
        statement, values = count_statement(query, self.visibility, self.statements, behind)
        [row] = await self.connection.fetch(statement.text, values)
        return cast("int", row[0])

    async def references_visible(
        self, references: Sequence[tuple[str, str]], creator: str | None = None, *, holding: str = ""
    ) -> set[tuple[str, str]]:
        """Those of the (type, id) pairs that are there, and that the caller sees or has created.

        Along with them, the context of the client `holding` is read, and held against change until the transaction ends.
        """
        by_type: dict[str, list[str]] = {}
        for type_, id_ in references:
            by_type.setdefault(type_, []).append(id_)
        types = tuple(sorted(by_type))
        if not types:
            return set()
        key = ("references", types, creator is None, bool(holding), self.visibility.key)
        statement = self.statements.get(key, lambda: self._referenced(types, creator is not None, holding=bool(holding)))
        named: dict[str, SqlValue] = {f"ids_{type_}": text_list(ids, self.statements.dialect) for type_, ids in by_type.items()}
        rows = cast("Sequence[tuple[str, str, int]]", await self.fetch(statement, named | {"creator_of": creator, "context_of": holding}))
        self.contexts |= {id_: Context(labels, alone=False) for type_, id_, labels in rows if not type_}
        return {(type_, id_) for type_, id_, _ in rows if type_}

    async def clients_pointed_at(self, records: Sequence[Record]) -> Mapping[tuple[str, str, int], Sequence[str]]:
        """The clients, by id, of what versions of Binaries or Provenances point at, whoever may see it; by type, id, version."""
        dialect = self.statements.dialect
        statement = self.statements.fixed("clients-pointed-at", lambda: _clients_pointed_at(dialect))
        found: dict[tuple[str, str, int], list[str]] = {}
        rows = await self.fetch(statement, {"ids": text_list([record.id for record in records], dialect)}) if records else ()
        for type_, id_, version, client in cast("Sequence[tuple[str, str, int, str]]", rows):
            found.setdefault((type_, id_, version), []).append(client)
        return found

    async def claimed(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that somebody has claimed."""
        dialect = self.statements.dialect
        statement = self.statements.fixed("claimed", lambda: select(claim.c.key).where(in_list(claim.c.key, "keys", dialect)))
        rows = await self.connection.fetch(statement.text, statement.values({"keys": text_list(keys, dialect)})) if keys else ()
        return {row[0] for row in cast("Sequence[tuple[str]]", rows)}

    async def horizon(self) -> int:
        """The stamp up to which nothing is still being written: what is there with an older stamp is all there ever will be."""
        statement = self.statements.fixed("horizon", lambda: horizon(self.statements.dialect))
        [row] = await self.connection.fetch(statement.text)
        return cast("int", row[0])

    async def last_stamp(self) -> int:
        """The newest stamp that was given, maybe to a transaction that goes on."""
        statement = self.statements.fixed("last-stamp", lambda: last_stamp(self.statements.dialect))
        [row] = await self.connection.fetch(statement.text)
        return cast("int", row[0])

    async def _one(self, statement: Statement, named: dict[str, SqlValue]) -> Record | None:
        rows = await self.fetch(statement, named)
        return Record._make(rows[0]) if rows else None

    def _compiler(self, visibility: Visibility | None = None) -> Compiler:
        return Compiler(self.statements.dialect, self.statements.parameters, visibility or self.visibility)

    def _reading(self, table: FromClause, type_: str, visibility: Visibility) -> Statement:
        scope = Scope(table, (type_,), single=True)
        where = [self._compiler(visibility).visible(scope), table.c.id == bind("id", Text())]
        return self.statements.compiled(select(*record_columns(self._compiler(visibility), table, (type_,))).where(*where))

    def _version(self, type_: str) -> Statement:
        compiler = self._compiler()

        def of(table: FromClause) -> list[Clause]:
            scope = Scope(table, (type_,), single=True)
            key = (table.c.id == bind("id", Text()), table.c.version == bind("version", table.c.version.type))
            return [*key, compiler.visible(scope, versions=True)]

        both = union_all(*(select(*linked(table)).where(*of(table)) for table in (resource, history))).subquery("versions")
        return self.statements.compiled(select(*record_columns(compiler, both, (type_,))))

    def _deletion(self, type_: str) -> Statement:
        later = history.alias()
        newest = select(later.c.version).where(later.c.type == history.c.type, later.c.id == history.c.id)
        newest = newest.order_by(later.c.version.desc()).limit(literal_column("1", Integer))
        visible = self._compiler().visible(Scope(history, (type_,), single=True), versions=True)
        old = [*(history.c[name] for name in STORED), null(), null()]
        there = select(literal_column("1", Integer)).where(resource.c.type == history.c.type, resource.c.id == history.c.id).exists()
        where = (history.c.id == bind("id", Text()), history.c.body.is_(None), ~there, visible)
        return self.statements.compiled(select(*old).where(*where, history.c.version == newest.scalar_subquery()))

    def _referenced(self, types: tuple[str, ...], by_creator: bool, *, holding: bool) -> Statement:
        found = (resource.c.type, resource.c.id, resource.c.version)  # with the version, no index covers all: SQLite then seeks the ids
        parts: list[Select[str, str, int]] = []
        for type_ in types:
            scope = Scope(resource, (type_,), single=True)
            readable = self._compiler().visible(scope)
            if by_creator:
                own = resource.c.creator == bind("creator_of", Text())
                readable = or_(readable, self._compiler(SYSTEM).visible(scope) & own)
            parts.append(select(*found).where(in_list(resource.c.id, f"ids_{type_}", self.statements.dialect), readable))
        if holding:
            context = held_context(bind("context_of", Text())).cte("context")
            parts.append(select(text(""), context.c.client, context.c.labels))
        return self.statements.compiled(union_all(*parts) if len(parts) > 1 else parts[0])


def held_context(client: ColumnElement[str], *, alone: bool = False) -> Select[str, int]:
    """A client's context (client, labels), held until the transaction ends: against change, or `alone`."""
    found = select(client_context.c.client, client_context.c.labels).where(client_context.c.client == client)
    return found.with_for_update(read=not alone)
