"""What the tests stand on: databases of both kinds, each test's own, and no other host."""
import asyncio
import socket
import sqlite3
from contextlib import closing

import asyncpg
import pytest

from tests.conftest import DatabaseMaker
from tests.databases import Databases


async def query(url: str, *statements: str) -> list[int]:
    """The first column of each statement's first row, from a database of either kind."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            return [(connection.execute(statement).fetchone() or [0])[0] for statement in statements]
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [await connection.fetchval(statement) for statement in statements]
    finally:
        await connection.close()


async def test_a_clone_holds_what_its_template_held_and_then_goes_its_own_way(databases: Databases) -> None:
    template = databases.blank()
    await query(template, "CREATE TABLE thing (id integer)", "INSERT INTO thing VALUES (1)")
    clone = databases.clone(template)
    await query(clone, "INSERT INTO thing VALUES (2)")
    assert await query(clone, "SELECT count(*) FROM thing") == [2]
    assert await query(template, "SELECT count(*) FROM thing") == [1]
    databases.drop(clone)
    databases.drop(template)


def test_two_blank_databases_are_two(databases: Databases) -> None:
    one, other = databases.blank(), databases.blank()
    assert one != other
    databases.drop(one)
    databases.drop(other)


async def test_every_test_may_have_migrated_databases_of_its_own(database_url: str, empty_database: DatabaseMaker) -> None:
    other = empty_database()
    assert other != database_url
    assert await query(database_url, "SELECT count(*) FROM alembic_version") == [1]
    await query(other, "DELETE FROM alembic_version")
    assert await query(database_url, "SELECT count(*) FROM alembic_version") == [1]
    assert await query(empty_database(), "SELECT count(*) FROM alembic_version") == [1]


async def test_a_test_cannot_reach_another_host() -> None:
    outside = "192.0.2.1"
    with socket.socket() as connection, pytest.raises(RuntimeError, match="this machine only"):
        connection.connect((outside, 80))
    with pytest.raises(RuntimeError, match="this machine only"):
        await asyncio.open_connection("example.org", 443)


async def test_a_test_reaches_this_machine() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
