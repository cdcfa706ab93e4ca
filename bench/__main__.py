"""`make bench`: everything side by side in one run. See README.md."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import population, processes
from bench.loading import Loading, load_once
from bench.measure import Series, fetched, loaded
from bench.places import Place, databases, floor, place
from bench.results import results, tables
from bench.work import WORKS
from tests.databases import Kind

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--full", action="store_true", default=os.environ.get("FULL") == "1", help="10⁶ Observations too")
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))), help="Observations, separated by commas")
    parser.add_argument("--only", choices=("postgresql", "sqlite"), help="one database")
    given = parser.parse_args()
    sizes: tuple[int, ...] = given.sizes or (10_000, 100_000, *((1_000_000,) if given.full else ()))
    kinds: tuple[Kind, ...] = (given.only,) if given.only else ("postgresql", "sqlite")
    size = sizes[min(1, len(sizes) - 1)]
    with tempfile.TemporaryDirectory(prefix="recovery-api-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        kept = stack.enter_context(databases(folder, kinds))
        places = [stack.enter_context(place(kind, each, kept[kind], folder)) for each in sizes for kind in kinds]
        server = stack.enter_context(floor(folder, places, size))
        floors = _rounds(given.rounds, places, size, server)
        loads: dict[Kind, Loading] = {kind: load_once(kept[kind].make, kept[kind].cpu, folder) for kind in kinds}
        found = results(places, size, floors, loads, given.rounds)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(tables(found))
    print("\nAlso in bench/results/latest.json.")



def _rounds(rounds: int, places: Sequence[Place], size: int, server: processes.Started) -> dict[str, Series]:
    """All rounds, everything in each. The floor's series are by "floor …" and "control …"."""
    floors: dict[str, Series] = {}
    for number in range(rounds):
        print(f"Round {number + 1} of {rounds}", file=sys.stderr)
        for work in WORKS:
            asked = [work.ask(places[0].agency, each).on_the_wire(f"/{work.slug}") for each in range(max(work.count, 100))]
            asked = [request.replace(b"PUT ", b"POST ", 1) for request in asked]
            for name in ("floor", "control"):
                sample, _ = loaded(server.pid, server.port, asked, work.connections, lambda: 0)
                floors.setdefault(f"{name} {work.name}", Series()).samples.append(sample)
            for there in places:
                if there.size == size or work.grows:
                    there.series.setdefault(work.name, Series()).samples.append(there.measure(work, work.count)[0])
        for there in places:
            ids = [
                population.observation_id(there.agency.meeting(each)[0], each % 100, there.agency.clients) for each in range(1_000)
            ]
            there.series.setdefault("one row", Series()).samples.append(fetched(there.driver, ids, there.database.cpu))
    return floors


main()
