"""The tables: one generic set for all resource types (scale.md: the resource's id is in every key, so they can be sharded by it).

Text is compared by bytes on both databases (collation "C"; SQLite does so anyway). Stamps are microseconds since the epoch, UTC.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

metadata = MetaData()

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
UNDISTRIBUTED: Final = frozenset({"outbox", "claim", "relation", "clock", "ledger"})
"""Tables that stay whole where the store is sharded; all others are distributed by `id`."""


def _text(name: str) -> Column[str]:
    return Column(name, TEXT, nullable=False)


def _version_columns() -> list[Column[Any]]:
    return [
        _text("type"),
        _text("id"),
        Column("version", BigInteger, nullable=False),
        Column("last_updated", BigInteger, nullable=False),
        _text("method"),
        _text("client"),
        _text("kind"),
        Column("released", Boolean, nullable=False),
        _text("creator"),
    ]


resource = Table(
    "resource",
    metadata,
    *_version_columns(),
    Column("created", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("type", "id"),
    Index("resource_client", "type", "client", "id"),
    Index("resource_last_updated", "type", "last_updated"),
    Index("resource_stamp", "last_updated"),
)
"""Current versions. `created` is the stamp of the first version: pages of a search look back to it."""

history = Table(
    "history",
    metadata,
    *_version_columns(),
    Column("body", LargeBinary, nullable=True),
    PrimaryKeyConstraint("type", "id", "version"),
    Index("history_last_updated", "type", "last_updated"),
    Index("history_stamp", "last_updated"),
)
"""Superseded versions, and deletions (without a body); never the current version."""

party = Table(
    "party",
    metadata,
    _text("type"),
    _text("id"),
    Column("version", BigInteger, nullable=False),
    _text("role"),
    _text("holder"),
    _text("holder_type"),
    _text("holder_id"),
    Index("party_holder", "holder", "role", "type"),
    Index("party_version", "id", "type", "version"),
)
"""Whom a version names in the roles that access rules test; `holder` is "Type/id", and once more in its two parts."""

relation = Table(
    "relation",
    metadata,
    _text("source_type"),
    _text("source_id"),
    _text("kind"),
    _text("holder"),
    _text("client"),
    _text("organization"),
    _text("qualifier"),
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Index("relation_holder", "holder", "kind", "client"),
    Index("relation_client", "client", "kind"),
    Index("relation_source", "source_type", "source_id"),
)
"""Who stands in which relation to whom, from `starts` until just before `ends`: a projection of the resources that say so."""

search_index = Table(
    "search_index",
    metadata,
    Column("param", Integer, nullable=False),
    Column("type", Integer, nullable=False),
    _text("id"),
    _text("client"),
    Column("system", TEXT),
    Column("value", TEXT),
    Column("system2", TEXT),
    Column("value2", TEXT),
    Column("low", Double),
    Column("high", Double),
)
Index(
    "search_index_value",
    search_index.c.param,
    search_index.c.value,
    search_index.c.client,
    search_index.c.id,
    search_index.c.system,
    postgresql_where=search_index.c.value.is_not(None),
    sqlite_where=search_index.c.value.is_not(None),
)
Index(
    "search_index_client_range",
    search_index.c.param,
    search_index.c.client,
    search_index.c.low,
    search_index.c.high,
    search_index.c.id,
    postgresql_where=search_index.c.low.is_not(None),
    sqlite_where=search_index.c.low.is_not(None),
)
Index(
    "search_index_range",
    search_index.c.param,
    search_index.c.low,
    search_index.c.high,
    search_index.c.id,
    postgresql_where=search_index.c.low.is_not(None),
    sqlite_where=search_index.c.low.is_not(None),
)
Index("search_index_id", search_index.c.id, search_index.c.param)
"""`param` is the number of "Type.code", `type` the number of "Type": ids are unique within a type only."""

outbox = Table(
    "outbox",
    metadata,
    Column("stamp", BigInteger, nullable=False),
    _text("type"),
    _text("id"),
    Column("version", BigInteger, nullable=False),
    _text("method"),
    _text("client"),
    Column("sequence", BigInteger),
    Column("leased_until", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("stamp", "type", "id", "version"),
)
"""What was written, for whoever delivers it. `sequence` is given behind the horizon, so it never has gaps that fill later."""

claim = Table("claim", metadata, _text("key"), PrimaryKeyConstraint("key"))
"""Keys that only one transaction, or one resource, may hold."""

clock = Table("clock", metadata, Column("stamp", BigInteger, nullable=False), PrimaryKeyConstraint("stamp"))
"""One row: the last stamp given (SQLite; PostgreSQL has a sequence, which writers need not queue for)."""

ledger = Table(
    "ledger",
    metadata,
    _text("kind"),
    _text("key"),
    _text("owner"),
    Column("expires", BigInteger, nullable=False),
    Column("used", BigInteger),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("kind", "key"),
    Index("ledger_owner", "kind", "owner"),
    Index("ledger_expires", "expires"),
)
"""What the authorization server remembers, each entry until `expires`; `used` is the stamp of its first use."""
