"""Where work is done: servers over databases of each kind and size, and the floor."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import asyncpg

from bench import population, processes
from bench.loading import write_ndjson
from bench.measure import BareDriver, Sample, Series, bare, loaded
from bench.work import MOST_CALLERS, WORKS, Agency, Work
from recovery_api.app import now, running
from recovery_api.commands.grants import all_scopes
from recovery_api.identity.keys import KeyRing
from recovery_api.identity.tokens import Tokens
from recovery_api.settings import Settings, load
from tests import postgresql
from tests.databases import Kind, PostgresqlDatabases, SqliteDatabases, migrated

PUBLIC_URL = "http://127.0.0.1:8000"
SCRIPTS = Path(sys.executable).parent
POSTGRESQL = {  # as an operator would have it, but nothing runs by itself while we measure
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "1GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "autovacuum": "off",
}
NAMES: Mapping[Kind, str] = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


class Database(NamedTuple):
    """One kind of database. `cpu` reads the CPU time of its own processes, in nanoseconds (SQLite has none)."""

    make: Callable[[], str]
    """The URL of a new migrated database."""
    cpu: Callable[[], int]


@dataclass
class Place:
    """A server over one database of one size."""

    kind: Kind
    size: int
    url: str
    agency: Agency
    driver: BareDriver
    database: Database
    server: processes.Started
    resident: float = 0.0
    asked: dict[str, int] = field(default_factory=dict[str, int])
    series: dict[str, Series] = field(default_factory=dict[str, Series])

    def requests(self, work: Work, count: int) -> list[bytes]:
        """The next requests of this kind; no write is sent twice."""
        first = self.asked.get(work.name, 0)
        self.asked[work.name] = first + count
        return [work.ask(self.agency, number).on_the_wire() for number in range(first, first + count)]

    def measure(self, work: Work, count: int) -> tuple[Sample, bytes]:
        """One round; and the first answer's body."""
        sample, answers = loaded(self.server.pid, self.server.port, self.requests(work, count), work.connections, self.database.cpu)
        for answer in answers:
            if answer.status != work.status or answer.body.count(work.marker) < work.entries:
                raise RuntimeError(f"{work.name} on {NAMES[self.kind]}: {answer.status} {answer.body[:1500]!r}")
        return sample, answers[0].body



@contextmanager
def databases(folder: Path, kinds: Sequence[Kind]) -> Iterator[dict[Kind, Database]]:
    """The kinds of databases; a PostgreSQL server runs as long as the block."""
    with ExitStack() as stack:
        made: dict[Kind, Database] = {}
        if "sqlite" in kinds:
            files = SqliteDatabases(folder)
            made["sqlite"] = Database(lambda: migrated(files), lambda: 0)
        if "postgresql" in kinds:
            server = stack.enter_context(postgresql.running("embedded", postgresql.SETTINGS | POSTGRESQL))
            clusters = PostgresqlDatabases(server)
            cpu = processes.family_cpu(asyncio.run(_postmaster(server.url("postgres"))))
            made["postgresql"] = Database(lambda: migrated(clusters), cpu)
        yield made


async def _postmaster(url: str) -> int:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    parent = processes.parent(await connection.fetchval("SELECT pg_backend_pid()"))
    await connection.close()
    return parent


@contextmanager
def place(kind: Kind, size: int, database: Database, folder: Path) -> Iterator[Place]:
    """A server over a new database with so many Observations."""
    began = time.monotonic()
    url = database.make()
    environment = {"RECOVERY_DATABASE_URL": url, "RECOVERY_DATA_DIR": str(folder / "data"), "RECOVERY_PUBLIC_URL": PUBLIC_URL}
    settings = load(environment, folder / "no.env")
    clients = asyncio.run(_populate(settings, size, folder))
    print(f"{NAMES[kind]}: {size:,} Observations of {clients:,} clients in {time.monotonic() - began:.0f} s", file=sys.stderr)
    port = postgresql.free_port()
    command = [str(SCRIPTS / "recovery-api"), "serve", "--port", str(port)]
    with processes.serving(command, port, "/fhir/metadata", folder / f"{kind}-{size}.log", environment) as server:
        resident = processes.resident_mb(server.pid)
        driver = bare(url)
        yield Place(kind, size, url, _agency(settings, clients), driver, database, server, resident)
        driver.close()


async def _populate(settings: Settings, size: int, folder: Path) -> int:
    async with running(settings) as server:
        write_ndjson(server.server, folder)
        return await population.populate(server, size)


def _agency(settings: Settings, clients: int) -> Agency:
    tokens = Tokens(KeyRing(settings.data_dir / "keys"), settings.public_url, now)

    def token(role: str, practitioner: str) -> str:
        claims = {"sub": practitioner, "fhirUser": f"Practitioner/{practitioner}", "scope": all_scopes(role), "organization": "org-cir"}
        return tokens.mint(claims, 86_400)

    companions = clients // population.CLIENTS_OF_COMPANION
    spread = sorted({number * companions // MOST_CALLERS for number in range(MOST_CALLERS)})
    named = tuple((number, token("companion", population.companion_of(number * population.CLIENTS_OF_COMPANION))) for number in spread)
    claims = {"sub": "ehr", "client_id": "ehr", "scope": all_scopes("ehr"), "organization": "org-riverbend"}
    return Agency(clients, named, token("case-manager", "manager-0000"), tokens.mint(claims, 86_400))


@contextmanager
def floor(folder: Path, places: Sequence[Place], size: int) -> Iterator[processes.Started]:
    """A server that knows the answers already. Asking for them warms the others up."""
    answers = folder / "answers"
    answers.mkdir()
    for place in places:
        for work in WORKS:
            if place.size == size or work.grows:
                _, body = place.measure(work, min(work.count, 100))
                (answers / work.slug).write_bytes(body)
    port = postgresql.free_port()
    command = [str(SCRIPTS / "uvicorn"), "bench.floor:app", "--port", str(port), "--no-access-log", "--loop=uvloop", "--http=httptools"]
    environment = {"BENCH_ANSWERS": str(answers)}
    with processes.serving(command, port, f"/{WORKS[0].slug}", folder / "floor.log", environment) as server:
        yield server
