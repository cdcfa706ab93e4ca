"""`recovery-api export`: tables of the work of recovery, for analysis."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option, echo

from recovery_api.commands.failure import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery_api.fhir.view_definition import Key, View
    from recovery_api.settings import Settings

NEEDED = "The export needs DuckDB: pip install 'recovery-api[analytics]'."
SHORTEST_KEY = 16
"""Bytes that the file of a key holds at least."""


def export(
    parquet: Annotated[
        Path, Option("--parquet", metavar="FOLDER", help="The folder for one Parquet file a view; it is made where it is missing.")
    ],
    view: Annotated[
        list[str] | None, Option(metavar="NAME", help="Only this view: cadence, outcomes, sessions or triggers. May be repeated.")
    ] = None,
    key: Annotated[
        Path | None,
        Option(metavar="FILE", help="A file of random bytes that makes the pseudonyms; without it, one of the data folder.", exists=True),
    ] = None,
) -> None:
    """Write tables of sessions, triggers, outcomes and the cadence of supervision, as the ViewDefinitions of the package say.

    People and records stand in them by pseudonyms, without names, words or addresses; times are exact. The files are still records of
    clients: keep them as you keep the database. Whoever can read the data folder may do this, and it is recorded in the audit log
    before anything is read. Works beside running servers. What is changed while it runs may be in the tables or not.
    """
    import asyncio  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import os  # noqa: PLC0415

    from recovery_api.analytics.views import shipped  # noqa: PLC0415
    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    settings, views = load(os.environ), shipped()
    if unknown := set(view or ()) - views.keys():
        raise CommandError(f"--view is not one of {', '.join(views)}: {min(unknown)}")
    chosen = [views[name] for name in sorted(set(view or views))]
    parquet.mkdir(parents=True, exist_ok=True)
    with said_in_one_line():
        counts = asyncio.run(_export(settings, chosen, parquet, None if key is None else _secret(key)))
    for name, count in counts.items():
        echo(f"{name}: {count:,} rows in {parquet / name}.parquet")


async def _export(settings: "Settings", views: "Sequence[View]", folder: Path, secret: bytes | None) -> dict[str, int]:
    from getpass import getuser  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from recovery_api.analytics.pseudonyms import Pseudonyms  # noqa: PLC0415
    from recovery_api.app import running  # noqa: PLC0415
    from recovery_api.commands.loading import progress_on  # noqa: PLC0415
    from recovery_api.interactions.audited import record  # noqa: PLC0415
    from recovery_api.policy.audit import exported  # noqa: PLC0415
    from recovery_api.store.readiness import counts  # noqa: PLC0415

    try:
        from recovery_api.analytics.export import NotWritten, write  # noqa: PLC0415
    except ImportError as error:
        raise CommandError(NEEDED) from error

    types = sorted({view.resource for view in views})
    async with running(settings) as server:
        names = ", ".join(view.name for view in views)
        await record(server.server, exported(f"operator:{getuser()}", types, f"export --parquet: {names}"))
        there = await counts(server.server.store)
        key: Key = Pseudonyms(secret or server.keys.secret("pseudonyms"))
        with progress_on(Console(stderr=True)) as progress:
            bar = progress.add_task("Exporting", total=sum(there.get(type, 0) for type in types))
            try:
                return await write(server.server, views, folder, key, lambda count: progress.update(bar, advance=count))
            except NotWritten as error:
                raise CommandError(str(error)) from error


def _secret(file: Path) -> bytes:
    secret = file.read_bytes()
    if len(secret) < SHORTEST_KEY:
        raise CommandError(f"--key names a file with less than {SHORTEST_KEY} bytes: {file}")
    return secret
