"""`recovery-api migrate`: brings the database to a revision of the schema."""

from typing import Annotated

from typer import Option, echo

from recovery_api.commands.failure import CommandError


def migrate(
    revision: Annotated[str, Option(help="The revision to go to; `head` is the newest, `base` is before the first.")] = "head",
    back: Annotated[bool, Option("--back", help="Go back to an older revision: what only newer ones can hold is lost.")] = False,
) -> None:
    """Bring the database forward to the newest revision of the schema, publish the program's definitions in it, and say what was done.

    What is there already stays. Run it before `serve` after each upgrade of the program; it may be run again at any time.
    """
    import os  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)

    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.commands.opened import with_server  # noqa: PLC0415
    from recovery_api.interactions.publish import publish  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415
    from recovery_api.store import migrate as migrations  # noqa: PLC0415

    url = load(os.environ).database_url
    try:
        with said_in_one_line():
            before = migrations.current(url)
            (migrations.downgrade if back else migrations.upgrade)(url, revision)
            after = migrations.current(url)
    except migrations.MigrationError as error:
        raise CommandError(f"There is no way to revision {revision}: {error}") from error
    wanted = migrations.latest() if revision == "head" else None if revision == "base" else revision
    if after != wanted:
        raise CommandError(f"The database is at revision {_named(after)}; `--back` would go back to {revision}, and lose data.")
    stayed, moved = f"The database is at revision {_named(after)} already.", f"Migrated from {_named(before)} to {_named(after)}."
    echo(stayed if before == after else moved)
    if after == migrations.latest() and not back:
        report = with_server(lambda running: publish(running.server))
        echo(f"{report.stored} definitions were published; {report.unchanged} were there already.")


def _named(revision: str | None) -> str:
    return revision or "base (empty)"
