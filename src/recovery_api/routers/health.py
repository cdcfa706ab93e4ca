"""For whoever runs the server: is it alive, is it ready, what does it count."""
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from recovery_api.telemetry import Metrics

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

Checks = Callable[[], Awaitable[Mapping[str, str]]]
"""What each part says of itself: "ok", or what is wrong with it in a word."""


def health(checks: Checks, metrics: Metrics) -> APIRouter:
    """The routes `/health/live`, `/health/ready` and `/metrics`."""
    router = APIRouter(tags=["health"])

    @router.get("/health/live", summary="Is the process alive?")
    async def live() -> Response:  # pyright: ignore[reportUnusedFunction]
        return JSONResponse({"status": "ok"})

    @router.get("/health/ready", summary="Can it answer: database, migrations, keys, backlog?")
    async def ready() -> Response:  # pyright: ignore[reportUnusedFunction]
        said = await checks()
        fit = all(word == "ok" or word.isdecimal() for word in said.values())
        return JSONResponse({"status": "ok" if fit else "unavailable", **said}, 200 if fit else 503)

    @router.get("/metrics", summary="Metrics in Prometheus' text format")
    async def told() -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(metrics.text(), media_type=PROMETHEUS)

    return router
