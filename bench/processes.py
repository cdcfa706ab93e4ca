"""Server processes, and what they cost: CPU time, memory, time to start."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.client import get

START_LIMIT = 60.0


def cpu(pid: int) -> int:
    """Nanoseconds of CPU time that all threads of a process have used; 0 where it is gone."""
    used = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            used += int((task / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return used


def children(pid: int) -> list[int]:
    """The processes that a process has started, those that still run."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def family_cpu(pid: int) -> Callable[[], int]:
    """Reads the CPU time of a process and all its children; those that have ended count in ticks of the system's clock (10 ms)."""
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def read() -> int:
        ended = sum(map(int, _stat(pid)[13:15]))
        return cpu(pid) + sum(map(cpu, children(pid))) + ended * tick

    return read


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def resident_mb(pid: int) -> float:
    """Resident memory, in MB (10⁶ bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


class Started(NamedTuple):
    """A server process that answers."""

    pid: int
    port: int
    seconds: float
    """From its start to its first answer."""


@contextmanager
def serving(command: list[str], port: int, path: str, log: Path, environment: Mapping[str, str]) -> Iterator[Started]:
    """Run a server until the block ends; it is there when it answers 200 at `path`."""
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    try:
        while get(port, path) != 200:
            if process.poll() is not None or time.monotonic() - began > START_LIMIT:
                raise RuntimeError(f"{command} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)
        yield Started(process.pid, port, time.monotonic() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def run_to_end(command: list[str], log: Path, environment: Mapping[str, str]) -> float:
    """Run a command to its end; the seconds of CPU time that it used. Raises RuntimeError where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{log.read_text()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
