"""`recovery-api serve`: the server."""

from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    import socket

    from recovery_api.settings import Settings


def serve(
    host: Annotated[str, Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65_535, help="The port to listen on.")] = 8000,
    workers: Annotated[int, Option(min=1, max=64, help="How many processes answer.")] = 1,
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    The database must be migrated (`recovery-api migrate`). Logs are JSON lines on standard error. Clients see the server at
    RECOVERY_PUBLIC_URL, which tokens and links name: set it where that is not http://127.0.0.1:8000. `/metrics` speaks of the
    one process that answers it.
    """
    import asyncio  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import os  # noqa: PLC0415

    import uvloop  # noqa: PLC0415

    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.commands.listening import listening_socket  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415
    from recovery_api.telemetry import start_logging  # noqa: PLC0415

    settings = load(os.environ)
    start_logging()
    with said_in_one_line(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if workers > 1:
            runner.run(_check(settings))
        with listening_socket(host, port) as listener:
            if workers == 1:
                runner.run(_serve(settings, listener))
                return
        _serve_in_processes(host, port, workers)


async def _serve(settings: "Settings", listener: "socket.socket") -> None:
    from recovery_api.app import background, running  # noqa: PLC0415
    from recovery_api.commands.listening import listen  # noqa: PLC0415
    from recovery_api.telemetry import AccessLog  # noqa: PLC0415

    async with running(settings) as server, background(server, settings):
        _say_where(listener)
        await listen(server, listener, AccessLog())


async def _check(settings: "Settings") -> None:
    """Raise here, once, what would go wrong in each process."""
    from recovery_api.app import running  # noqa: PLC0415

    async with running(settings):
        pass


def _say_where(listener: "socket.socket") -> None:
    import logging  # noqa: PLC0415

    host, port = listener.getsockname()[:2]
    logging.getLogger("recovery_api").info("Serving on http://%s:%s.", f"[{host}]" if ":" in host else host, port)


def _serve_in_processes(host: str, port: int, workers: int) -> None:
    import uvicorn  # noqa: PLC0415

    uvicorn.run(
        "recovery_api.app:Worker",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
    )
