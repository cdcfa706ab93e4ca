"""Listening on an address until a signal comes."""

import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

import uvicorn

from recovery_api.app import Running, application
from recovery_api.commands.failure import CommandError
from recovery_api.telemetry import AccessLog


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on the address. Raises CommandError where it is taken, or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CommandError(f"Can't listen on {host}:{port}: {error.strerror or error}.") from error


async def listen(server: Running, listener: socket.socket, log: AccessLog | None) -> None:
    """Answer requests until SIGTERM or SIGINT; then finish those that are open, and end the process with code 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)  # uvicorn takes both while it serves, and raises them again when it is done
    config = uvicorn.Config(
        application(server, log),
        http="httptools",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    await uvicorn.Server(config).serve(sockets=[listener])


def _end(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    sys.exit(0)
