"""`recovery-api demo`: a server with a small world in it."""

from typing import TYPE_CHECKING, Annotated

from typer import Option, echo

from recovery_api.commands.failure import CommandError

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from recovery_api.app import Running
    from recovery_api.demo.marker import Marker
    from recovery_api.settings import Settings

LIFETIME = 86_400
"""Seconds that a sign-in lasts: a day."""
SHOWN = ("maya", "ruth", "sys-riverbend", "leo")
"""Whose tokens are printed; those of all stand in the file."""

WEEK = "Ana's session and the next one, an escalation, a check-in that is overdue, a referral: docs/how-to/supervise.md shows them."


def demo(
    port: Annotated[int, Option(min=0, max=65_535, help="The port on 127.0.0.1; 0 takes one that is free.")] = 8000,
    reset: Annotated[bool, Option("--reset", help="Forget all that happened in the demo world, and make it afresh.")] = False,
) -> None:
    """Make a small world for the present moment, print who can sign in, and serve on 127.0.0.1 until Ctrl-C.

    The database is migrated first. When the world is there already it stays as it is; the sign-ins are made anew, and last for
    a day. They stand in demo/tokens.env in RECOVERY_DATA_DIR, for `source`. A database that holds anything else is left alone.
    """
    import asyncio  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import os  # noqa: PLC0415
    from dataclasses import replace  # noqa: PLC0415

    import uvloop  # noqa: PLC0415

    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.commands.listening import listening_socket  # noqa: PLC0415
    from recovery_api.demo.marker import Marker  # noqa: PLC0415
    from recovery_api.settings import PREFIX, load  # noqa: PLC0415
    from recovery_api.store.readiness import NotMigrated  # noqa: PLC0415
    from recovery_api.telemetry import start_logging  # noqa: PLC0415

    settings = load(os.environ)
    start_logging("WARNING")
    with listening_socket("127.0.0.1", port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if settings.public_url == load({f"{PREFIX}PUBLIC_URL": ""}).public_url:
            settings = replace(settings, public_url=address)
        marker = Marker(settings.data_dir / "demo", settings.database_url)
        with said_in_one_line(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if reset:
                _forget(settings, marker)
            try:
                runner.run(_demo(settings, marker, listener))
            except NotMigrated:
                _migrate(settings)
                runner.run(_demo(settings, marker, listener))


def _migrate(settings: "Settings") -> None:
    from recovery_api.store import migrate  # noqa: PLC0415

    migrate.upgrade(settings.database_url)


def _forget(settings: "Settings", marker: "Marker") -> None:
    from recovery_api.store import migrate  # noqa: PLC0415

    if migrate.current(settings.database_url) is None:
        return
    if marker.moment is None:
        raise CommandError("The demo world is not in this database, and --reset forgets nothing else.")
    migrate.downgrade(settings.database_url, "base")
    marker.remove()


async def _demo(settings: "Settings", marker: "Marker", listener: "socket.socket") -> None:
    from recovery_api.app import background, running  # noqa: PLC0415
    from recovery_api.commands.listening import listen  # noqa: PLC0415
    from recovery_api.demo.accounts import open_accounts  # noqa: PLC0415
    from recovery_api.fhir.shipped import PUBLISHED  # noqa: PLC0415
    from recovery_api.interactions.publish import publish  # noqa: PLC0415
    from recovery_api.store import readiness  # noqa: PLC0415

    async with running(settings) as server, background(server, settings):
        if marker.moment is None and (await readiness.counts(server.server.store)).keys() - set(PUBLISHED):
            raise CommandError("The database holds something else than the demo world: RECOVERY_DATA_DIR names another place for it.")
        await publish(server.server)
        if not marker.complete:
            await _seed(server, marker)
        people = await open_accounts(server.authorization.accounts)
        _tell(server, settings, marker.folder / "tokens.env", people)
        await listen(server, listener, None)


async def _seed(server: "Running", marker: "Marker") -> None:
    """Load the fixture world, live a week in it, then load the realistic patients, whose care team is in it.

    A world that was begun is finished.
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from recovery_api.commands.loading import Loading, load_files  # noqa: PLC0415
    from recovery_api.demo.people import REALISTIC_CARE_TEAM, REALISTIC_PATIENTS  # noqa: PLC0415
    from recovery_api.demo.sign_ins import SIGN_INS  # noqa: PLC0415
    from recovery_api.demo.week import live  # noqa: PLC0415
    from recovery_api.demo.world import fixture  # noqa: PLC0415
    from recovery_api.interactions.load import load_all  # noqa: PLC0415

    moment = marker.moment or datetime.now(UTC).replace(microsecond=0)
    marker.write(moment, complete=False)
    console = Console(stderr=True)
    console.print("Making the demo world.")
    await load_all(server.server, fixture(moment))
    tokens = {each.name: server.tokens.mint(each.claims, LIFETIME) for each in SIGN_INS}
    await live(server.server, lambda name: server.callers.actor(tokens[name]), datetime.now(UTC).replace(microsecond=0))
    loading = Loading([REALISTIC_PATIENTS], marker.folder / "rejects.ndjson", REALISTIC_CARE_TEAM)
    await load_files(server.server, loading, console)
    marker.write(moment, complete=True)


def _tell(server: "Running", settings: "Settings", path: "Path", people: "Sequence[str]") -> None:
    """Print the sign-ins, and write their tokens to the file, which its owner alone may read."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from recovery_api.demo.accounts import PASSWORD  # noqa: PLC0415
    from recovery_api.demo.sign_ins import SIGN_INS  # noqa: PLC0415

    lines = {each.name: f"export {each.variable}={server.tokens.mint(each.claims, LIFETIME)}" for each in SIGN_INS}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text("\n".join([f"export FHIR={settings.fhir_base}", *lines.values(), ""]), encoding="utf-8")
    table = Table("name", "role", "who", "token")
    for each in SIGN_INS:
        table.add_row(each.name, each.role, each.who, f"${each.variable}")
    Console().print(table)
    echo(f"export FHIR={settings.fhir_base}")
    for name in SHOWN:
        echo(lines[name])
    echo(f"\nAll of them, for a day:  source {_near(path)}")
    echo(f"At {settings.public_url}/account: {', '.join(people)} sign in with the password {PASSWORD}")
    echo(f"This week: {WEEK}")
    echo(f"Serving on {settings.public_url} until Ctrl-C.")


def _near(path: "Path") -> "Path":
    """The path as it is written from here."""
    from pathlib import Path  # noqa: PLC0415

    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
