"""The program `recovery-api` as an operator has it: a process of its own, with settings in its environment."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tests.postgresql import apart_from_any_loop

COMMAND = (sys.executable, "-c", "import sys; from recovery_api.cli import main; sys.argv[0] = 'recovery-api'; main()")
PATIENCE = 120


@dataclass(frozen=True)
class Program:
    """`folder` is where it runs, with DATA_DIR in it; a database other than that folder's is named by its URL."""

    folder: Path
    database_url: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        given = {"DATA_DIR": "var", **({"DATABASE_URL": self.database_url} if self.database_url else {}), **self.settings}
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RECOVERY_")}
        return plain | {f"RECOVERY_{name}": value for name, value in given.items()} | {"COLUMNS": "120"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start it; what it says goes to the log."""
        with log.open("wb") as said:
            return subprocess.Popen([*COMMAND, *arguments], cwd=self.folder, env=self.environment, stdout=said, stderr=said)

    @contextmanager
    def serving(self, *arguments: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
        """It serves on the port until the end of the block, where it gets SIGTERM and must end well."""
        log = self.folder / f"serving-{port}.log"
        process = self.start(*arguments, "--port", str(port), log=log)
        try:
            wait_for_answer(process, port, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE)
        assert code == 0, log.read_text()


def wait_for_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=PATIENCE).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """What a query finds in a database of either kind."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=PATIENCE)) as connection:
            return [tuple(row) for row in connection.execute(sql)]
    return apart_from_any_loop(lambda: asyncio.run(_fetched(url, sql)))


async def _fetched(url: str, sql: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
