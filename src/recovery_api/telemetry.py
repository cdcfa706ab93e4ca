"""What the server says about itself: one JSON object a line on standard error, and Prometheus metrics.

Nothing clinical can get in: a line holds what is named here and no more. Bodies, the values of queries, tokens and SQL are
never logged; an error is logged by its type and the places of its stack, without its message, which may quote any of them.
"""

import logging
import os
import re
import sys
import traceback
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate

import msgspec
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; '' outside of one."""

_encode = msgspec.json.Encoder().encode
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BOUNDS = tuple(int(second * 1_000_000) for second in _SECONDS)
_QUIET = ("httpx", "httpcore", "uvicorn.access")
"""Loggers of libraries that would log addresses with the values of their queries."""


class JsonLines(logging.Formatter):
    """Makes one JSON object of a record: time (UTC), level, logger, message, request; of an error, its type and stack."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, object] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.get():
            line["request"] = request
        if record.exc_info and (error := record.exc_info[1]):
            line["error"] = [f"{type(part).__module__}.{type(part).__qualname__}" for part in _chain(error)]
            line["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
        return _encode(line).decode()


class _Access(msgspec.Struct):
    time: str
    method: str
    route: str
    interaction: str
    status: int
    microseconds: int
    request: str
    level: str = "info"
    logger: str = "access"


class AccessLog:
    """One line for each request that was answered."""

    def __init__(self, write: Callable[[bytes], object] = lambda line: os.write(2, line)) -> None:
        """`write` takes a whole line, ended by a line feed; without it lines go to standard error."""
        self._write = write

    def record(self, *, time: int, method: str, route: str, status: int, microseconds: int, interaction: str = "") -> None:
        """Write that a request came at `time` (microseconds since the epoch) by `method` to the template `route` (never the
        path itself), was the FHIR interaction of that name, and was answered with `status` after so many microseconds."""
        stamp = f"{_second(time // 1_000_000)}.{time // 1000 % 1000:03}Z"
        self._write(_encode(_Access(stamp, method, route, interaction, status, microseconds, request_id.get())) + b"\n")


class _Requests(Collector):
    """Plain numbers, which cost a request next to nothing; they become metrics when somebody asks for them."""

    def __init__(self) -> None:
        self.answered: dict[tuple[str, int], int] = {}
        self.taken: dict[str, list[int]] = {}
        """By interaction: how many requests were within each bound and not the one before, then their microseconds in all."""

    def collect(self) -> Iterator[Metric]:
        """The metrics, as the registry asks for them."""
        counter = CounterMetricFamily("recovery_requests", "Requests answered.", labels=("interaction", "status"))
        for (interaction, status), count in self.answered.items():
            counter.add_metric((interaction, str(status)), count)
        histogram = HistogramMetricFamily("recovery_request_seconds", "Seconds until the answer.", labels=("interaction",))
        for interaction, (*within, microseconds) in self.taken.items():
            buckets = list(zip((*map(str, _SECONDS), "+Inf"), accumulate(map(float, within)), strict=True))
            histogram.add_metric((interaction,), buckets, microseconds / 1_000_000)
        return iter((counter, histogram))


class Metrics:
    """What /metrics tells: requests and their seconds by interaction and status, beside the process's own figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        """Where others register what they count."""
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = _Requests()
        self.registry.register(self._requests)

    def observe(self, interaction: str, status: int, microseconds: int) -> None:
        """Count one answered request. `interaction` is one of the few names of FHIR, an operation's code, or the like."""
        answered, taken = self._requests.answered, self._requests.taken.get(interaction)
        answered[interaction, status] = answered.get((interaction, status), 0) + 1
        if taken is None:
            taken = self._requests.taken[interaction] = [0] * (len(_BOUNDS) + 2)
        taken[bisect_left(_BOUNDS, microseconds)] += 1
        taken[-1] += microseconds

    def text(self) -> bytes:
        """All metrics in Prometheus' text format (version 0.0.4)."""
        return generate_latest(self.registry)


def accepted_request_id(sent: str | None, made: Callable[[], str]) -> str:
    """The request id that a caller sent (X-Request-Id) where it is harmless in a log, else one that is made now."""
    return sent if sent is not None and _REQUEST_ID.fullmatch(sent) else made()


def start_logging(level: str = "INFO") -> None:
    """Log as JSON lines to standard error from now on, and keep libraries quiet that would log what must not be."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    while error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__ or error
    return chain
