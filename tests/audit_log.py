"""The audit log as tests see it: what its records say, and hands that change it behind the server's back."""
from collections.abc import Sequence
from typing import Any

from recovery_api.policy.audit import Facts, decoded
from recovery_api.store.visibility import SYSTEM
from tests.api import Api
from tests.statements import Asked

TRIGGERS = {
    "sqlite": "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit_%'",
    "postgresql": "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE relname LIKE 'audit_%'",
}


async def rows(api: Api, sql: str) -> Sequence[Any]:
    async with api.running.server.store.reader(SYSTEM) as reader:
        return await reader.connection.fetch(sql)


async def records(api: Api) -> list[Facts]:
    """All records, in the order of their chains."""
    order = "FROM audit_record LEFT JOIN audit_link ON audit_link.id = audit_record.id ORDER BY chain, place"
    return [decoded(body) for (body,) in await rows(api, f"SELECT body {order}")]


async def since(api: Api, before: Sequence[Facts]) -> list[Facts]:
    """The records that came after these."""
    return (await records(api))[len(before) :]


def beside(statements: Sequence[Asked]) -> list[Asked]:
    """The statements that are not the log's."""
    return [one for one in statements if "audit_" not in one.sql]


async def tamper(api: Api, *statements: str) -> None:
    """Change the log as somebody might who may do everything with the database."""
    store = api.running.server.store
    async with store.writer(SYSTEM) as writer:
        for trigger, table in await writer.connection.fetch(TRIGGERS[store.statements.dialect]):
            on = f" ON {table}" if store.statements.dialect == "postgresql" else ""
            await writer.connection.execute(f"DROP TRIGGER {trigger}{on}")
        for statement in statements:
            await writer.connection.execute(statement)
