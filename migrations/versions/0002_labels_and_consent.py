"""Security labels, clinical dates and outgoing links of every version; what is true of a client; what the active Consents say."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXTS = ("consent", "path", "parent", "client", "effect", "actors", "actors_within", "purposes", "classes", "system", "code")


def version_columns() -> list[sa.Column]:
    return [
        sa.Column("labels", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("raised", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("happened_from", sa.BigInteger),
        sa.Column("happened_until", sa.BigInteger),
        sa.Column("links", TEXT, nullable=False, server_default=""),
    ]


def upgrade() -> None:
    for table in ("resource", "history"):
        for column in version_columns():
            op.add_column(table, column)
    op.create_table(
        "consent_rule",
        *(sa.Column(name, TEXT, nullable=False) for name in TEXTS),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("labels", "labels_within")),
        *(sa.Column(name, sa.BigInteger) for name in ("data_from", "data_until")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("starts", "ends")),
    )
    op.create_table("client_context", sa.Column("client", TEXT, primary_key=True), sa.Column("labels", sa.BigInteger, nullable=False))
    op.create_index("consent_rule_client", "consent_rule", ["client", "effect"])
    op.create_index("consent_rule_consent", "consent_rule", ["consent", "parent"])


def downgrade() -> None:
    op.drop_table("client_context")
    op.drop_table("consent_rule")
    for table in ("resource", "history"):
        for column in reversed(version_columns()):
            op.drop_column(table, column.name)
