"""What was measured, as JSON for programs and as tables for people."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from bench.loading import Loading
from bench.measure import Series
from bench.places import NAMES, Place
from bench.report import microseconds, percent, table, times
from bench.work import WORKS, Work
from tests.databases import Kind

Results: TypeAlias = dict[str, Any]



def results(places: Sequence[Place], size: int, floors: Mapping[str, Series], loads: Mapping[Kind, Loading], rounds: int) -> Results:
    """All that a run measured; `size` is the one at which everything is measured."""
    controls = [floors[f"control {work.name}"].median("server") / floors[f"floor {work.name}"].median("server") for work in WORKS]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()},
        "rounds": rounds,
        "observations": size,
        "control": {"least": min(controls), "most": max(controls)},
        "work": [_row(place, work, floors) for work in WORKS for place in places if place.size == size],
        "one row": {place.kind: _series(place.series["one row"]) for place in places if place.size == size},
        "growth": [
            {"work": work.name, "database": kind}
            | {str(place.size): _series(place.series[work.name]) for place in places if place.kind == kind}
            for work in WORKS
            if work.grows
            for kind in dict.fromkeys(place.kind for place in places)
        ],
        "load": {kind: done._asdict() for kind, done in loads.items()},
        "process": {
            place.kind: {"resident MB": place.resident, "start s": place.server.seconds} for place in places if place.size == size
        },
    }


def _series(series: Series) -> dict[str, float]:
    return {
        "server": series.median("server"),
        "database": series.median("database"),
        "total": series.total,
        "spread": series.spread,
        "p50": series.median("p50"),
        "p99": series.median("p99"),
    }


def _row(place: Place, work: Work, floors: Mapping[str, Series]) -> Results:
    floor, series = floors[f"floor {work.name}"].median("server"), place.series[work.name]
    return {
        "work": work.name,
        "goal": work.goal,
        "database": place.kind,
        "floor": floor,
        "floors": series.median("server") / floor,
        "rows": series.total / place.series["one row"].total,
        "measured": _series(series),
    }


def tables(said: Results) -> str:
    """The tables that `make bench` prints."""
    control = said["control"]
    run = f"At {said['observations']:,} Observations; medians of {said['rounds']} interleaved rounds"
    parts = [f"{run}; the floor against itself: {control['least']:.2f} to {control['most']:.2f} times.\n", _work(said)]
    sizes = [key for key in said["growth"][0] if key.isdigit()]
    if len(sizes) > 1:
        parts += ["\nGrowth: µs of server + database a request (goal: less than 1.3 times)\n", _growth(said, sizes)]
    parts.append("")
    for kind, got in said["process"].items():
        memory, start = got["resident MB"], got["start s"]
        parts.append(f"On {NAMES[kind]}: {memory:.0f} MB at rest (≤ 150), {start:.2f} s from start to first answer (≤ 1.5).")
    return "\n".join(parts)


HEAD = ("work", "database", "server µs", "±", "F µs", "by F", "goal", "database µs", "both µs", "by one row", "p50 ms", "p99 ms")


def _work(said: Results) -> str:
    rows: list[list[str]] = []
    for row in said["work"]:
        got, floors = row["measured"], [microseconds(row["floor"]), times(row["floors"]), row["goal"]]
        waits = [f"{got[name] / 1000:.2f}" for name in ("p50", "p99")]
        rows.append(_cells(row["work"], row["database"], got, percent(got["spread"]), floors, [times(row["rows"]), *waits]))
    for kind, got in said["one row"].items():
        rows.append(_cells("one row by the bare driver", kind, got, percent(got["spread"]), ["", "", ""], ["1.0", "", ""]))
    for kind, got in said["load"].items():
        rows.append(_cells("load, per resource", kind, got, "", ["", "", "≤ 200 µs"], ["", "", ""]))
    return table(HEAD, rows)


def _cells(work: str, kind: Kind, got: Mapping[str, float], spread: str, floors: list[str], more: list[str]) -> list[str]:
    database, total = microseconds(got["database"]), microseconds(got["server"] + got["database"])
    return [work, NAMES[kind], microseconds(got["server"]), spread, *floors, database, total, *more]


def _growth(said: Results, sizes: Sequence[str]) -> str:
    rows: list[list[str]] = []
    for row in said["growth"]:
        cells = [f"{microseconds(row[size]['server'])} + {microseconds(row[size]['database'])}" for size in sizes]
        rows.append([row["work"], NAMES[row["database"]], *cells, f"{row[sizes[-1]]['total'] / row[sizes[0]]['total']:.2f}"])
    return table(["work", "database", *(f"{int(size):,}" for size in sizes), "times"], rows)
