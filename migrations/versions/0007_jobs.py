"""Jobs and their files."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def text(name: str) -> sa.Column:
    return sa.Column(name, TEXT, nullable=False)


def number(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=False)


def upgrade() -> None:
    op.create_table(
        "job",
        *(text(name) for name in ("id", "kind", "owner", "outcome")),
        *(number(name) for name in ("created", "touched", "leased_until", "lease", "tries", "expires")),
        *(sa.Column(name, sa.LargeBinary, nullable=False) for name in ("asked", "progress")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("job_outcome", "job", ["outcome", "touched"])
    op.create_index("job_owner", "job", ["owner", "outcome"])
    op.create_table(
        "job_file",
        text("job"),
        number("number"),
        *(text(name) for name in ("part", "type", "name")),
        *(number(name) for name in ("resources", "size", "packed")),
        sa.PrimaryKeyConstraint("job", "number"),
    )


def downgrade() -> None:
    op.drop_table("job_file")
    op.drop_table("job")
