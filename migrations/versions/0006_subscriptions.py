"""Subscriptions and their events; the outbox without leases, which are the Subscriptions' now."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
STAMPS = ("since", "number", "delivered", "due", "beat", "failing", "leased_until")


def upgrade() -> None:
    op.create_table(
        "subscription",
        *(sa.Column(name, TEXT, nullable=False) for name in ("id", "topic", "client", "channel", "status")),
        sa.Column("caller", sa.LargeBinary, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in STAMPS),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("subscription_client", "subscription", ["client"])
    op.create_table(
        "subscription_event",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("stamp", sa.BigInteger, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("type", "id")),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "stamp", "type", "id", "version"),
    )
    op.create_index("subscription_event_number", "subscription_event", ["subscription", "number"])
    op.create_index("subscription_event_stamp", "subscription_event", ["stamp"])
    for name in ("sequence", "leased_until"):
        op.drop_column("outbox", name)


def downgrade() -> None:
    op.add_column("outbox", sa.Column("sequence", sa.BigInteger))
    op.add_column("outbox", sa.Column("leased_until", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_table("subscription_event")
    op.drop_table("subscription")
