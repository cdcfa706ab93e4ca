"""The server of the settings, opened for one command's work on its accounts and API clients."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from recovery_api.commands.failure import CommandError, said_in_one_line

if TYPE_CHECKING:
    from recovery_api.app import Running

T = TypeVar("T")


def with_server(work: "Callable[[Running], Awaitable[T]]") -> T:
    """What the work returns. What it refuses is a CommandError with one sentence."""
    from recovery_api.app import running  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    from recovery_api.identity.accounts import AccountRefused  # noqa: PLC0415
    from recovery_api.identity.passwords import PasswordRefused  # noqa: PLC0415
    from recovery_api.identity.registrations import RegistrationRefused  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    async def opened() -> T:
        async with running(load(os.environ)) as server:
            return await work(server)

    try:
        with said_in_one_line():
            return asyncio.run(opened())
    except (AccountRefused, PasswordRefused, RegistrationRefused) as refusal:
        raise CommandError(str(refusal)) from refusal
