"""`recovery-api load`: brings resources in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from recovery_api.commands.failure import CommandError

if TYPE_CHECKING:
    from rich.console import Console

    from recovery_api.commands.loading import Loading, Outcome
    from recovery_api.settings import Settings


def load(
    paths: Annotated[list[Path], Argument(metavar="PATH...", help="Files, or folders of files: .json or .ndjson, also .gz.")],
    care_team: Annotated[
        str | None,
        Option(
            metavar="companion=ID,case-manager=ID",
            help="Practitioners of ours who get a CareTeam and an EpisodeOfCare with each loaded Patient that has none of ours.",
        ),
    ] = None,
    rejects: Annotated[
        Path | None, Option(metavar="FILE", help="Where to say what was not loaded. Without it, load-rejects.ndjson in RECOVERY_DATA_DIR.")
    ] = None,
    notify: Annotated[bool, Option("--notify", help="Raise events for subscriptions, as other writes do.")] = False,
) -> None:
    """Load Bundles or NDJSON, with the ids that the resources have.

    Works on a stopped server's database and beside a running server. Of a Bundle, of whatever type, the resources are taken
    one by one. Structure and invariants are checked, life cycles are not; versions and times are the server's own.
    References that are urns or criteria (Practitioner?identifier=...) are resolved within the run, else in the database, else
    kept, with a warning.

    What is there already with the same content stays as it is: a run that was ended anywhere is finished by the same command.

    What can't be loaded goes to a file: one JSON object a line, with file, line, entry of a Bundle, resource and issues. All else
    is loaded; the exit code is then 1.
    """
    import asyncio  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import gc  # noqa: PLC0415
    import os  # noqa: PLC0415

    import uvloop  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.commands.loading import Loading  # noqa: PLC0415
    from recovery_api.interactions.load_sources import files  # noqa: PLC0415
    from recovery_api.settings import load as settings_of  # noqa: PLC0415

    settings = settings_of(os.environ)
    team = _team(care_team)
    try:
        found = files(paths)
    except ValueError as error:
        raise CommandError(str(error)) from error
    loading = Loading(found, rejects or settings.data_dir / "load-rejects.ndjson", team, notify)
    console = Console(stderr=True)
    gc.set_threshold(50_000, 20, 100)  # millions of short-lived objects and hardly a cycle: a tenth of the time
    with said_in_one_line(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(_load(settings, loading, console))
    tell(outcome, console)
    if outcome.report.rejected:
        raise Exit(1)


async def _load(settings: "Settings", loading: "Loading", console: "Console") -> "Outcome":
    from recovery_api.app import running  # noqa: PLC0415
    from recovery_api.commands.loading import load_files  # noqa: PLC0415
    from recovery_api.interactions.load_engagement import NotEmployed  # noqa: PLC0415

    async with running(settings) as server:
        try:
            return await load_files(server.server, loading, console)
        except (ValueError, NotEmployed) as error:
            raise CommandError(str(error)) from error


def tell(outcome: "Outcome", console: "Console") -> None:
    """Say what was loaded, and what was not and why."""
    report, rejects = outcome.report, outcome.rejects
    counts = {name: getattr(report, name) for name in ("created", "updated", "unchanged", "rejected")}
    _say(console, ", ".join(f"{count:,} {name}" for name, count in counts.items()) + ".")
    if outcome.kept:
        shown = ", ".join(outcome.kept[:3]) + (", …" if len(outcome.kept) > 3 else "")
        _say(console, f"Warning: {len(outcome.kept):,} references that mean no one resource stay as they are: {shown}")
    for reason, count in rejects.reasons.most_common(10):
        place = rejects.examples[reason].place
        where = f"{Path(place.file).name}:{place.line}" + (f", entry {place.entry}" if place.entry else "")
        _say(console, f"  {count:,} times {reason} (first in {where})")
    if report.rejected:
        _say(console, f"What was rejected, and why, stands in {rejects.path}")


def _say(console: "Console", line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _team(text: str | None) -> dict[str, str]:
    from recovery_api.interactions.load_engagement import KINDS  # noqa: PLC0415

    team: dict[str, str] = {}
    for part in (text or "").split(",") if text is not None else ():
        kind, equals, id = part.strip().partition("=")
        id = id.removeprefix("Practitioner/")
        if kind not in KINDS or not equals or not id or kind in team:
            raise CommandError(f"--care-team is not like companion=ID,case-manager=ID: {text}")
        team[kind] = id
    return team
