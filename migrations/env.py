"""Runs the migrations on the connection that `recovery_api.store.migrate` hands over, or on `-x url=…`."""

from alembic import context
from sqlalchemy import Connection

from recovery_api.store.migrate import with_connection
from recovery_api.store.tables import metadata


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=metadata, transaction_per_migration=True, render_as_batch=True, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()


if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    with_connection(context.get_x_argument(as_dictionary=True)["url"], run)
