"""`recovery-api reindex`: makes the search index, the labels and all else that follows from what is stored anew."""

from typing import TYPE_CHECKING, Annotated

from typer import Option, echo

from recovery_api.commands.failure import CommandError

if TYPE_CHECKING:
    from recovery_api.settings import Settings


def reindex(
    of_type: Annotated[list[str] | None, Option("--type", metavar="TYPE", help="Only this resource type. May be repeated.")] = None,
) -> None:
    """Index and label what is stored once more: after a search parameter or a rule of labelling was added or changed.

    Works beside running servers; it makes no new versions. It may be run again at any time.
    """
    import asyncio  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import os  # noqa: PLC0415

    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    settings = load(os.environ)
    with said_in_one_line():
        echo(f"{asyncio.run(_reindex(settings, of_type or [])):,} resources indexed.")


async def _reindex(settings: "Settings", chosen: list[str]) -> int:
    from rich.console import Console  # noqa: PLC0415

    from recovery_api.app import running  # noqa: PLC0415
    from recovery_api.commands.loading import progress_on  # noqa: PLC0415
    from recovery_api.store.readiness import counts  # noqa: PLC0415
    from recovery_api.store.reindex import reindex as indexed  # noqa: PLC0415

    async with running(settings) as server:
        if unknown := set(chosen) - server.server.interactions.keys():
            raise CommandError(f"--type names what is not a type that this server holds: {min(unknown)}")
        there = await counts(server.server.store)
        types = [type for type in there if type in chosen or not chosen]
        with progress_on(Console(stderr=True)) as progress:
            bar = progress.add_task("Indexing", total=sum(there[type] for type in types))
            return await indexed(
                server.server.store,
                types,
                server.server.extract,
                server.server.labeller,
                progress=lambda count: progress.update(bar, advance=count),
            )
