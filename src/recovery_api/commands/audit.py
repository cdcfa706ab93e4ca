"""`recovery-api audit`: examines the audit log."""

from typing import TYPE_CHECKING

from typer import Exit, Typer, echo

if TYPE_CHECKING:
    from recovery_api.settings import Settings
    from recovery_api.store.audit_check import Found

audit = Typer(name="audit", help="Examine the audit log.", no_args_is_help=True)


@audit.callback()
def _group() -> None:
    """Examine the audit log."""


@audit.command()
def verify() -> None:
    """Check that no audit record was changed, taken away or moved.

    Says one line for each thing that is not as it was written, and ends with 1 where there is any. Needs the data folder
    (RECOVERY_DATA_DIR), where the key of the anchors is. Works beside running servers.
    """
    import asyncio  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import os  # noqa: PLC0415

    from recovery_api.commands.failure import said_in_one_line  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    settings = load(os.environ)
    with said_in_one_line():
        found = asyncio.run(_verify(settings))
    for line in found.breaks:
        echo(line)
    waiting = f" {found.unlinked:,} records wait for their link." if found.unlinked else ""
    said = f"{found.records:,} records in {found.chains:,} chains with {found.anchors:,} anchors."
    if found.breaks:
        echo(f"The audit log is broken in {len(found.breaks):,} places: {said}{waiting}")
        raise Exit(1)
    echo(f"The audit log is whole: {said}{waiting}")


async def _verify(settings: "Settings") -> "Found":
    from rich.console import Console  # noqa: PLC0415

    from recovery_api.app import running  # noqa: PLC0415
    from recovery_api.commands.loading import progress_on  # noqa: PLC0415
    from recovery_api.store.audit_check import check, length  # noqa: PLC0415

    async with running(settings) as server:
        store = server.server.store
        with progress_on(Console(stderr=True)) as progress:
            bar = progress.add_task("Verifying", total=await length(store))
            return await check(store, server.keys.secret("audit-anchors"), lambda count: progress.update(bar, advance=count))
