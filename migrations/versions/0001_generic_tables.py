"""Generic tables: resources, history, search index, parties, relations, outbox, claims; stamps."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

GIVE_STAMP = """
CREATE FUNCTION give_stamp(now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    given bigint;
BEGIN
    PERFORM pg_advisory_lock(-1);
    BEGIN
        SELECT greatest(now, last_value + 1) INTO given FROM stamp_sequence;
        -- Announced before it counts, until the transaction ends: whoever reads the horizon stays below it.
        PERFORM pg_advisory_xact_lock_shared(given);
        PERFORM setval('stamp_sequence', given);
    EXCEPTION WHEN query_canceled OR OTHERS THEN
        PERFORM pg_advisory_unlock(-1);
        RAISE;
    END;
    PERFORM pg_advisory_unlock(-1);
    RETURN given;
END
$$
"""

HORIZON = """
CREATE FUNCTION horizon() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    last bigint;
    pending bigint;
BEGIN
    SELECT last_value INTO last FROM stamp_sequence;
    SELECT min((classid::bigint << 32) | objid::bigint) INTO pending FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock' AND classid::bigint < 2147483648
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN least(last, coalesce(pending - 1, last));
END
$$
"""


def text(name: str) -> sa.Column:
    return sa.Column(name, TEXT, nullable=False)


def number(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=False)


def version_columns() -> list[sa.Column]:
    released = sa.Column("released", sa.Boolean, nullable=False)
    return [
        *(text("type"), text("id"), number("version"), number("last_updated"), text("method")),
        *(text("client"), text("kind"), released, text("creator")),
    ]


def index_where(name: str, columns: list[str], filled: str) -> None:
    where = sa.text(f"{filled} IS NOT NULL")
    op.create_index(name, "search_index", columns, postgresql_where=where, sqlite_where=where)


def upgrade() -> None:
    op.create_table(
        "resource",
        *version_columns(),
        number("created"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("type", "id"),
    )
    op.create_index("resource_client", "resource", ["type", "client", "id"])
    op.create_index("resource_last_updated", "resource", ["type", "last_updated"])
    op.create_index("resource_stamp", "resource", ["last_updated"])
    op.create_table(
        "history",
        *version_columns(),
        sa.Column("body", sa.LargeBinary),
        sa.PrimaryKeyConstraint("type", "id", "version"),
    )
    op.create_index("history_last_updated", "history", ["type", "last_updated"])
    op.create_index("history_stamp", "history", ["last_updated"])
    op.create_table(
        "party",
        *(text("type"), text("id"), number("version"), text("role"), text("holder"), text("holder_type"), text("holder_id")),
    )
    op.create_index("party_holder", "party", ["holder", "role", "type"])
    op.create_index("party_version", "party", ["id", "type", "version"])
    op.create_table(
        "relation",
        *(text("source_type"), text("source_id"), text("kind"), text("holder"), text("client")),
        *(text("organization"), text("qualifier"), number("starts"), number("ends")),
    )
    op.create_index("relation_holder", "relation", ["holder", "kind", "client"])
    op.create_index("relation_client", "relation", ["client", "kind"])
    op.create_index("relation_source", "relation", ["source_type", "source_id"])
    op.create_table(
        "search_index",
        sa.Column("param", sa.Integer, nullable=False),
        sa.Column("type", sa.Integer, nullable=False),
        text("id"),
        text("client"),
        *(sa.Column(name, TEXT) for name in ("system", "value", "system2", "value2")),
        *(sa.Column(name, sa.Double) for name in ("low", "high")),
    )
    index_where("search_index_value", ["param", "value", "client", "id", "system"], "value")
    index_where("search_index_client_range", ["param", "client", "low", "high", "id"], "low")
    index_where("search_index_range", ["param", "low", "high", "id"], "low")
    op.create_index("search_index_id", "search_index", ["id", "param"])
    op.create_table(
        "outbox",
        *(number("stamp"), text("type"), text("id"), number("version"), text("method"), text("client")),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("leased_until", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("stamp", "type", "id", "version"),
    )
    op.create_table("claim", text("key"), sa.PrimaryKeyConstraint("key"))
    op.create_table("clock", number("stamp"), sa.PrimaryKeyConstraint("stamp"))
    op.execute("INSERT INTO clock (stamp) VALUES (0)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE stamp_sequence MINVALUE 0 START 0 CACHE 1")
        op.execute(GIVE_STAMP)
        op.execute(HORIZON)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION horizon()")
        op.execute("DROP FUNCTION give_stamp(bigint)")
        op.execute("DROP SEQUENCE stamp_sequence")
    for table in ("clock", "claim", "outbox", "search_index", "relation", "party", "history", "resource"):
        op.drop_table(table)
