"""The ledger of the authorization server: accounts, API clients, grants, sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def text(name: str) -> sa.Column:
    return sa.Column(name, TEXT, nullable=False)


def upgrade() -> None:
    op.create_table(
        "ledger",
        text("kind"),
        text("key"),
        text("owner"),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
    )
    op.create_index("ledger_owner", "ledger", ["kind", "owner"])
    op.create_index("ledger_expires", "ledger", ["expires"])


def downgrade() -> None:
    op.drop_table("ledger")
