"""Emergency accesses."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXTS = ("id", "holder", "client", "organization", "purpose", "reason", "nature", "facility")


def upgrade() -> None:
    op.create_table(
        "emergency_access",
        *(sa.Column(name, TEXT, nullable=False) for name in TEXTS),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("starts", "ends")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("emergency_access_client", "emergency_access", ["client", "starts"])


def downgrade() -> None:
    op.drop_table("emergency_access")
