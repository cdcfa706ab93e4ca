"""The tables: one generic set for all resource types (scale.md: the resource's id is in every key, so they can be sharded by it).

Text is compared by bytes on both databases (collation "C"; SQLite does so anyway). Stamps are microseconds since the epoch, UTC.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

metadata = MetaData()

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
UNDISTRIBUTED: Final = frozenset(
    {
        "outbox", "subscription", "subscription_event", "claim", "relation", "client_context", "consent_rule", "clock",
        "audit_link", "audit_anchor", "audit_progress", "ledger", "job", "job_file",
    }
)  # fmt: skip
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
        Column("labels", BigInteger, nullable=False, server_default="0"),
        Column("raised", BigInteger, nullable=False, server_default="0"),
        Column("happened_from", BigInteger),
        Column("happened_until", BigInteger),
        Column("links", TEXT, nullable=False, server_default=""),
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
"""Current versions. `created` is the stamp of the first version: pages of a search look back to it.

`labels` are the bits of the security labels in force, `raised` of those that were sent or raised by hand. `happened_from` and
`happened_until` bound the clinical date (both NULL: the type has none). `links` are the literal references that a caller may not
be able to follow, "Type/id", separated by spaces.
"""

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

VERSION_COLUMNS: Final = tuple(column.name for column in history.columns)
"""All that is kept of a version."""

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

client_context = Table(
    "client_context",
    metadata,
    Column("client", TEXT, primary_key=True),
    Column("labels", BigInteger, nullable=False),
)
"""What is true of a client as a whole: bits of the law (`42CFRPart2`), and of the sensitivities of all of their episodes. Whoever
writes of a client holds the row, so that nobody changes it meanwhile.
"""

consent_rule = Table(
    "consent_rule",
    metadata,
    _text("consent"),
    _text("path"),
    _text("parent"),
    _text("client"),
    _text("effect"),
    _text("actors"),
    _text("actors_within"),
    _text("purposes"),
    _text("classes"),
    _text("system"),
    _text("code"),
    Column("labels", BigInteger, nullable=False),
    Column("labels_within", BigInteger, nullable=False),
    Column("data_from", BigInteger),
    Column("data_until", BigInteger),
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Index("consent_rule_client", "client", "effect"),
    Index("consent_rule_consent", "consent", "parent"),
)
"""What the active Consents say, a row for each provision and each of its codes and labels, the conditions of the provisions around it
included. Lists are texts with a space before, between and after their items; an empty text or NULL sets no condition.
"""

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

emergency_access = Table(
    "emergency_access",
    metadata,
    _text("id"),
    _text("holder"),
    _text("client"),
    _text("organization"),
    _text("purpose"),
    _text("reason"),
    _text("nature"),
    _text("facility"),
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    PrimaryKeyConstraint("id"),
    Index("emergency_access_client", "client", "starts"),
)
"""Who opened whose record in an emergency, why, for which facility, from when to when (42 CFR 2.51)."""

outbox = Table(
    "outbox",
    metadata,
    Column("stamp", BigInteger, nullable=False),
    _text("type"),
    _text("id"),
    Column("version", BigInteger, nullable=False),
    _text("method"),
    _text("client"),
    PrimaryKeyConstraint("stamp", "type", "id", "version"),
)
"""What was written, for whoever makes events of it."""

subscription = Table(
    "subscription",
    metadata,
    _text("id"),
    _text("topic"),
    _text("client"),
    _text("channel"),
    _text("status"),
    Column("caller", LargeBinary, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("since", "number", "delivered", "due", "beat", "failing", "leased_until")),
    Column("failures", Integer, nullable=False),
    PrimaryKeyConstraint("id"),
    Index("subscription_client", "client"),
)
"""How each Subscription stands. `client` is "Patient/id" where it is about one alone; `caller` is who made it, with what their token
opened. Events later than `since` are its; `number` were told, and those up to `delivered` have arrived. It is looked at again when it is
`due`, its next heartbeat is at `beat`; of the last `failures` attempts the first was at `failing`. One worker at a time has it, until
`leased_until`."""

subscription_event = Table(
    "subscription_event",
    metadata,
    _text("subscription"),
    Column("stamp", BigInteger, nullable=False),
    _text("type"),
    _text("id"),
    Column("version", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    PrimaryKeyConstraint("subscription", "stamp", "type", "id", "version"),
    Index("subscription_event_number", "subscription", "number"),
    Index("subscription_event_stamp", "stamp"),
)
"""The events of each Subscription. `number` is 0 until it is decided that the subscriber may be told; then it stays."""

claim = Table("claim", metadata, _text("key"), PrimaryKeyConstraint("key"))
"""Keys that only one transaction, or one resource, may hold."""

clock = Table("clock", metadata, Column("stamp", BigInteger, nullable=False), PrimaryKeyConstraint("stamp"))
"""One row: the last stamp given (SQLite; PostgreSQL has a sequence, which writers need not queue for)."""

audit_record = Table(
    "audit_record",
    metadata,
    _text("id"),
    Column("stamp", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id"),
    Index("audit_record_stamp", "stamp", postgresql_using="brin"),
)
"""What happened, one row for each event. The database refuses to change or delete rows of this table and of the next two."""

audit_link = Table(
    "audit_link",
    metadata,
    _text("chain"),
    Column("place", BigInteger, nullable=False),
    _text("id"),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("chain", "place"),
    Index("audit_link_id", "id", unique=True),
)
"""The place of a record in the chain of the process that wrote it (from 1), and the hash over it and all before it."""

audit_anchor = Table(
    "audit_anchor",
    metadata,
    Column("sequence", BigInteger, nullable=False, autoincrement=False),
    Column("stamp", BigInteger, nullable=False),
    _text("event"),
    _text("chain"),
    Column("place", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("linked_until", BigInteger, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    PrimaryKeyConstraint("sequence"),
    Index("audit_anchor_chain", "chain", "event"),
)
"""The common chain: where each process's chain stood when it started, each minute, and when it stopped. No record with a stamp up
to `linked_until` is without a link."""

audit_progress = Table(
    "audit_progress", metadata, _text("chain"), Column("place", BigInteger, nullable=False), PrimaryKeyConstraint("chain")
)
"""Up to which place the records of a chain are AuditEvents already; a chain that stopped and is done has no row."""

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

job = Table(
    "job",
    metadata,
    _text("id"),
    _text("kind"),
    _text("owner"),
    _text("outcome"),
    Column("created", BigInteger, nullable=False),
    Column("touched", BigInteger, nullable=False),
    Column("leased_until", BigInteger, nullable=False),
    Column("lease", BigInteger, nullable=False),
    Column("tries", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("asked", LargeBinary, nullable=False),
    Column("progress", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id"),
    Index("job_outcome", "outcome", "touched"),
    Index("job_owner", "owner", "outcome"),
)
"""What workers do step by step. `outcome` is empty until the job has come to its end. Whoever takes the job gives `lease` the next number,
and only who has that number can say how far it came; `tries` counts how often it was taken since it last went on.
"""

job_file = Table(
    "job_file",
    metadata,
    _text("job"),
    Column("number", BigInteger, nullable=False),
    _text("part"),
    _text("type"),
    _text("name"),
    Column("resources", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("packed", BigInteger, nullable=False),
    PrimaryKeyConstraint("job", "number"),
)
"""The files that a job has made. `part` is where the manifest names it; `resources` says how many it holds, `size` its bytes, `packed`
those of its gzip, in which it is kept under `name`.
"""
