"""`recovery-api doctor`: is everything as the server needs it?"""

from typing import TYPE_CHECKING

from typer import Exit, echo

from recovery_api.commands.failure import CommandError

if TYPE_CHECKING:
    from recovery_api.settings import Settings


def doctor() -> None:
    """Check settings, database, migrations, keys, and that served types, access policy and search parameters fit each other.

    One line for each; the exit code is 1 where one is not well.
    """
    import asyncio  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import os  # noqa: PLC0415

    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    settings = load(os.environ)
    _say("settings", f"clients see {settings.public_url}; data folder {settings.data_dir}; zone {settings.time_zone.key}")
    try:
        with said_in_one_line():
            asyncio.run(_examine(settings))
    except CommandError as error:
        _say("server", error.message, well=False)
        raise Exit(1) from error


async def _examine(settings: "Settings") -> None:
    from recovery_api.app import running  # noqa: PLC0415
    from recovery_api.store.readiness import REVISION, backlog, counts  # noqa: PLC0415

    async with running(settings) as server:
        store = server.server.store
        there = await counts(store)
        _say("database", f"{store.statements.dialect}, {sum(there.values()):,} resources of {len(there)} types")
        _say("migrations", f"at {REVISION}, the newest")
        _say("keys", f"{server.keys.signing().algorithm}, generation {server.keys.signing().generation}")
        _say("definitions", f"{len(server.server.interactions)} types, their access rows and search parameters fit each other")
        _say("backlog", f"{await backlog(store):,} events wait to be delivered")
        unheld = sorted(there.keys() - server.server.interactions.keys())
        _say("types", ", ".join(unheld) + " are stored and not served" if unheld else "all that is stored is served", well=not unheld)
        if unheld:
            raise Exit(1)


def _say(what: str, finding: str, *, well: bool = True) -> None:
    echo(f"{'ok  ' if well else 'BAD '}{what:<12}{finding}")
