"""Audit: records, the chains that link them, the common chain of anchors; none of them can be changed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
APPEND_ONLY = ("audit_record", "audit_link", "audit_anchor")

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME;
END
$$
"""


def text(name: str) -> sa.Column:
    return sa.Column(name, TEXT, nullable=False)


def number(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)


def octets(name: str) -> sa.Column:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def upgrade() -> None:
    op.create_table("audit_record", text("id"), number("stamp"), octets("body"), sa.PrimaryKeyConstraint("id"))
    op.create_index("audit_record_stamp", "audit_record", ["stamp"], postgresql_using="brin")
    op.create_table(
        "audit_link", text("chain"), number("place"), text("id"), octets("hash"), sa.PrimaryKeyConstraint("chain", "place")
    )
    op.create_index("audit_link_id", "audit_link", ["id"], unique=True)
    op.create_table(
        "audit_anchor",
        *(number("sequence"), number("stamp"), text("event"), text("chain"), number("place")),
        *(octets("head"), number("linked_until"), octets("seal")),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("audit_anchor_chain", "audit_anchor", ["chain", "event"])
    op.create_table("audit_progress", text("chain"), number("place"), sa.PrimaryKeyConstraint("chain"))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(REFUSE_CHANGE)
        for table in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        return
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_stays_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
            )


def downgrade() -> None:
    for table in ("audit_progress", "audit_anchor", "audit_link", "audit_record"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
