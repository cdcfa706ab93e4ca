"""`recovery-api worker`: background work in a process of its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recovery_api.settings import Settings


def worker() -> None:
    """Do the background work until SIGTERM or Ctrl-C: beside servers that have RECOVERY_EMBEDDED_WORKER=false.

    Any number of workers may run; they do nothing twice.
    """
    import asyncio  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import os  # noqa: PLC0415

    import uvloop  # noqa: PLC0415

    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415
    from recovery_api.telemetry import start_logging  # noqa: PLC0415

    settings = load(os.environ)
    start_logging()
    with said_in_one_line(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings))


async def _work(settings: "Settings") -> None:
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415
    import signal  # noqa: PLC0415
    from contextlib import suppress  # noqa: PLC0415

    from recovery_api.app import running  # noqa: PLC0415
    from recovery_api.workers.work import work  # noqa: PLC0415

    async with running(settings) as server:
        task = asyncio.create_task(work(server.server))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        logging.getLogger("recovery_api").info("Working.")
        with suppress(asyncio.CancelledError):
            await task
