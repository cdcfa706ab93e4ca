"""Around the whole application: every request has an id, is counted, and is one line in the access log.

The id that a caller sends (X-Request-Id) is said back. One that is made here stands in the log only: answers that must not be told
apart, like those for what is hidden and what is absent, are the same to the last header.
"""
import secrets
from collections.abc import Callable, Mapping
from itertools import count
from time import perf_counter_ns, time_ns
from types import MappingProxyType

from recovery_api.routers.asgi import App, Message, Receive, Scope, Send
from recovery_api.telemetry import AccessLog, Metrics, accepted_request_id, request_id

ROUTES: Mapping[str, str] = MappingProxyType(
    {
        "read": "/fhir/{type}/{id}",
        "vread": "/fhir/{type}/{id}/_history/{version}",
        "update": "/fhir/{type}/{id}",
        "patch": "/fhir/{type}/{id}",
        "delete": "/fhir/{type}/{id}",
        "history-instance": "/fhir/{type}/{id}/_history",
        "create": "/fhir/{type}",
        "search-type": "/fhir/{type}",
        "history-type": "/fhir/{type}/_history",
        "search-system": "/fhir",
        "history-system": "/fhir/_history",
        "batch": "/fhir",
        "capabilities": "/fhir/metadata",
        "operation": "/fhir/${operation}",
        "job-status": "/fhir/_jobs/{id}",
        "job-cancel": "/fhir/_jobs/{id}",
        "job-file": "/fhir/_jobs/{id}/{file}",
    }
)
"""The template that the log names for each interaction: a path holds ids, and is never logged."""


class Observed:
    """An ASGI application that is watched from outside."""

    def __init__(self, app: App, metrics: Metrics, log: AccessLog | None) -> None:
        """`app` may say in `scope["interaction"]` what it was asked for. Without a log, requests are counted only."""
        self._app = app
        self._metrics = metrics
        self._log = log
        self._new_id = _namer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = perf_counter_ns()
        sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
        name = accepted_request_id(None if sent is None else sent.decode("latin-1"), self._new_id)
        echo = [(b"x-request-id", sent)] if sent is not None and name.encode() == sent else []
        status = 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *echo]
            await send(message)

        outer = request_id.set(name)
        try:
            await self._app(scope, receive, tell)
        finally:
            self._record(scope, status, (perf_counter_ns() - started) // 1000)
            request_id.reset(outer)
        return None

    def _record(self, scope: Scope, status: int, microseconds: int) -> None:
        interaction: str = scope.get("interaction", "")
        self._metrics.observe(interaction or "other", status, microseconds)
        if self._log is not None:
            route = ROUTES.get(interaction) or getattr(scope.get("route"), "path", scope.get("root_path", ""))
            now = time_ns() // 1000
            self._log.record(
                time=now, method=scope["method"], route=route, status=status, microseconds=microseconds, interaction=interaction
            )


def _namer() -> Callable[[], str]:
    """Makes ids that no other process makes, without asking the system for random bytes each time."""
    prefix, numbers = secrets.token_hex(6), count(1)
    return lambda: f"{prefix}-{next(numbers)}"
