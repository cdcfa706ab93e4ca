"""Measuring: CPU time of the server and of its database per request, in rounds."""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import asyncpg
import uvloop

from bench.client import Answer, ask
from bench.processes import cpu

ONE_ROW = "SELECT body FROM resource WHERE type = $1 AND id = $2"


class Sample(NamedTuple):
    """One round, per request, in microseconds."""

    server: float
    database: float
    p50: float
    p99: float


@dataclass
class Series:
    """All rounds of one piece of work in one place."""

    samples: list[Sample] = field(default_factory=list[Sample])

    def median(self, of: str) -> float:
        return statistics.median(getattr(sample, of) for sample in self.samples)

    @property
    def total(self) -> float:
        """Server and database."""
        return statistics.median(sample.server + sample.database for sample in self.samples)

    @property
    def spread(self) -> float:
        """The median distance of a round from the median, as a part of it."""
        middle = self.median("server")
        return statistics.median(abs(sample.server - middle) for sample in self.samples) / middle


def loaded(
    pid: int, port: int, requests: Sequence[bytes], connections: int, database: Callable[[], int]
) -> tuple[Sample, list[Answer]]:
    """Send the requests, and read what they cost."""
    server_before, database_before = cpu(pid), database()
    answers = ask(port, requests, connections)
    server, spent = cpu(pid) - server_before, database() - database_before
    waits = sorted(answer.nanoseconds for answer in answers)
    count = len(requests) * 1000
    return Sample(server / count, spent / count, waits[len(waits) // 2] / 1000, waits[len(waits) * 99 // 100] / 1000), answers


class BareDriver(Protocol):
    """Fetches one row by its key, again and again."""

    def fetch(self, ids: Sequence[str]) -> None: ...

    def close(self) -> None: ...


class BareAsyncpg:
    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._connection = self._runner.run(asyncpg.connect(url.replace("+asyncpg", "")))

    def fetch(self, ids: Sequence[str]) -> None:
        async def each() -> None:
            for id in ids:
                assert await self._connection.fetchrow(ONE_ROW, "Observation", id)

        self._runner.run(each())

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


class BareSqlite:
    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(url.removeprefix("sqlite:///"))

    def fetch(self, ids: Sequence[str]) -> None:
        for id in ids:
            assert self._connection.execute(ONE_ROW.replace("$1", "?").replace("$2", "?"), ("Observation", id)).fetchone()

    def close(self) -> None:
        self._connection.close()


def bare(url: str) -> BareDriver:
    return BareSqlite(url) if url.startswith("sqlite") else BareAsyncpg(url)


def fetched(driver: BareDriver, ids: Sequence[str], database: Callable[[], int]) -> Sample:
    """What one row costs with nothing around it."""
    process_before, database_before, began = time.process_time_ns(), database(), time.perf_counter_ns()
    driver.fetch(ids)
    process, spent = time.process_time_ns() - process_before, database() - database_before
    wall = (time.perf_counter_ns() - began) / len(ids) / 1000
    return Sample(process / len(ids) / 1000, spent / len(ids) / 1000, wall, wall)
