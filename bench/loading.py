"""Bulk loading by the operator's own command: `recovery-api load`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import population, processes
from recovery_api.interactions.context import Server

CLIENTS = 40


class Loading(NamedTuple):
    """Microseconds of CPU time a resource; starting and stopping the command is not counted."""

    resources: int
    server: float
    database: float


def write_ndjson(server: Server, folder: Path) -> None:
    """What is loaded: one small file, whose loading is mostly the command's own start, and one with the records of some clients."""
    few, many = folder / "few.ndjson", folder / "many.ndjson"
    if many.exists():
        return
    bodies = [one.body for made in (population.people(server, CLIENTS), population.records(server, CLIENTS)) for one in made]
    few.write_bytes(bodies[0] + b"\n")
    many.write_bytes(b"".join(body + b"\n" for body in bodies))


def load_once(make: Callable[[], str], database_cpu: Callable[[], int], folder: Path) -> Loading:
    """Load into a new database, the small file first."""
    environment = {"RECOVERY_DATABASE_URL": make(), "RECOVERY_DATA_DIR": str(folder / "data")}
    command = [str(Path(sys.executable).parent / "recovery-api"), "load"]
    spent: list[tuple[float, int]] = []
    for name in ("few", "many"):
        before = database_cpu()
        seconds = processes.run_to_end([*command, str(folder / f"{name}.ndjson")], folder / "load.log", environment)
        spent.append((seconds, database_cpu() - before))
    resources = (folder / "many.ndjson").read_bytes().count(b"\n") - 1
    server, database = (1e6 * (spent[1][0] - spent[0][0]) / resources, (spent[1][1] - spent[0][1]) / 1000 / resources)
    return Loading(resources, server, database)
