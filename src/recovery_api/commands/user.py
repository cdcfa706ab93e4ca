"""`recovery-api user`: the people who sign in here."""

import sys
from typing import Annotated

from typer import Option, Typer, echo

from recovery_api.commands.opened import with_server

user = Typer(name="user", help="The people who sign in here, each with one role.", no_args_is_help=True)

Username = Annotated[str, Option(help="The name that they sign in with.")]
PasswordStdin = Annotated[bool, Option("--password-stdin", help="Read the password from standard input; else one is made and shown once.")]


@user.command()
def add(
    username: Username,
    role: Annotated[str, Option(help="The one role: companion, case-manager, treatment-team, client, auditor or admin.")],
    fhir_user: Annotated[str | None, Option(help="Who it is: Practitioner/ID, for a client Patient/ID or RelatedPerson/ID.")] = None,
    patient: Annotated[str | None, Option(help="For a client: the id of the Patient whose record it is.")] = None,
    organization: Annotated[str | None, Option(help="The id of their Organization; without it, that of their PractitionerRole.")] = None,
    medical_personnel: Annotated[bool, Option("--medical-personnel", help="May break the glass in an emergency.")] = False,
    password_stdin: PasswordStdin = False,
) -> None:
    """Make an account. A password that was made is shown once, on standard output."""
    from recovery_api.identity.accounts import Account  # noqa: PLC0415 (commands import what they need when they run)

    account = Account(
        username=username,
        role=role,
        fhir_user=fhir_user or "",
        patient=patient,
        organization=organization,
        medical_personnel=medical_personnel,
    )
    password = _password(stdin=password_stdin)
    with_server(lambda server: server.authorization.accounts.add(account, password))
    _show(password, shown=not password_stdin)


@user.command("list")
def list_() -> None:
    """List the accounts: username, role, who it is, organization, and whether it is disabled or has a second factor."""
    for one in with_server(lambda server: server.authorization.accounts.all()):
        marks = [word for word, holds in (("disabled", one.disabled), ("second factor", one.second_factor is not None)) if holds]
        echo("\t".join((one.username, one.role, one.fhir_user, one.organization or "-", ", ".join(marks) or "-")))


@user.command()
def disable(username: Username) -> None:
    """Let nobody sign in with the account, and end what it opened: sessions and tokens."""
    with_server(lambda server: server.authorization.disable(username))


@user.command()
def enable(username: Username) -> None:
    """Let them sign in again."""
    with_server(lambda server: server.authorization.accounts.change(username, disabled=False))


@user.command()
def passwd(
    username: Username,
    forget_second_factor: Annotated[bool, Option("--forget-second-factor", help="For a lost authenticator: another is set up.")] = False,
    password_stdin: PasswordStdin = False,
) -> None:
    """Give them another password, and sign them out everywhere. One that was made is shown once."""
    from recovery_api.app import Running  # noqa: PLC0415

    password = _password(stdin=password_stdin)

    async def change(server: Running) -> None:
        await server.authorization.set_password(username, password)
        if forget_second_factor:
            await server.authorization.accounts.change(username, second_factor=None)

    with_server(change)
    _show(password, shown=not password_stdin)


def _password(*, stdin: bool) -> str:
    from recovery_api.identity.passwords import new_password  # noqa: PLC0415

    return sys.stdin.readline().rstrip("\r\n") if stdin else new_password()


def _show(password: str, *, shown: bool) -> None:
    if shown:
        echo(password)
