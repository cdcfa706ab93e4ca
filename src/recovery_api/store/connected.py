"""What all of the store works with: a connection, its compiled statements, and the visibility that it is seen through."""
from collections.abc import Sequence

from recovery_api.store.engine import Connection, Row
from recovery_api.store.statement import SqlValue, Statement
from recovery_api.store.statements import Statements
from recovery_api.store.visibility import Visibility


class Connected:
    """One connection, maybe in a transaction."""

    def __init__(self, connection: Connection, statements: Statements, visibility: Visibility) -> None:
        self.connection = connection
        self.statements = statements
        self.visibility = visibility

    async def fetch(self, statement: Statement, named: dict[str, SqlValue]) -> Sequence[Row]:
        """The rows of a statement; the visibility's own values are added."""
        return await self.connection.fetch(statement.text, statement.values({**self.visibility.binds, **named}))
