"""The commands. Each is a function of its own module in `commands`, which imports what it needs when it runs."""

import sys
from typing import Annotated

from typer import Abort, Exit, Option, Typer, TyperException, echo

from recovery_api.commands.audit import audit
from recovery_api.commands.client import client
from recovery_api.commands.demo import demo
from recovery_api.commands.doctor import doctor
from recovery_api.commands.export import export
from recovery_api.commands.launch import launch
from recovery_api.commands.load import load
from recovery_api.commands.migrate import migrate
from recovery_api.commands.openapi import openapi
from recovery_api.commands.reindex import reindex
from recovery_api.commands.rekey import rekey
from recovery_api.commands.serve import serve
from recovery_api.commands.token import token
from recovery_api.commands.user import user
from recovery_api.commands.worker import worker
from recovery_api.settings import SettingsError

NAME = "recovery-api"

app = Typer(
    name=NAME,
    help="A FHIR R4 care-coordination server for recovery companions. Settings come from RECOVERY_… variables or a .env file.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

for command in (demo, serve, worker, migrate, load, export, token, launch, rekey, reindex, openapi, doctor):
    app.command()(command)
for group in (user, client, audit):
    app.add_typer(group)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415

        echo(version("recovery-api"))
        raise Exit


@app.callback()
def _options(
    *, version: Annotated[bool, Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)] = False
) -> None:
    """Options of the program itself; each does its work when it is read."""


def main() -> None:
    """Run the command that the command line names. What is expected to go wrong is one line on standard error, and exit code
    1 (or 2 for a command line that is not understood).
    """
    try:
        sys.exit(app(prog_name=NAME, standalone_mode=False))
    except TyperException as error:
        message, code = error.format_message(), error.exit_code
    except SettingsError as error:
        message, code = str(error), 1
    except Abort:
        message, code = "Stopped.", 130
    except OSError as error:
        message, code = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.", 1
    if message:  # a command line without a command was answered with the help
        echo(f"{NAME}: {' '.join(message.split())}", err=True)
    sys.exit(code)
