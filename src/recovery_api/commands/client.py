"""`recovery-api client`: the API clients that may ask for tokens."""

import json
from pathlib import Path
from typing import Annotated, Any, cast

from typer import Option, Typer, echo

from recovery_api.commands.failure import CommandError
from recovery_api.commands.opened import with_server

client = Typer(name="client", help="The apps and systems that may ask for tokens.", no_args_is_help=True)

ClientId = Annotated[str, Option(help="The id of the API client.")]
AsJson = Annotated[bool, Option("--json", help='Print {"client_id": …, "client_secret": …}.')]


@client.command()
def add(
    name: Annotated[str, Option(help="What people see when they are asked to let it in.")],
    kind: Annotated[str, Option(help="public, confidential-symmetric, confidential-asymmetric or backend.")],
    client_id: Annotated[str | None, Option(help="Its id; without it, one is made.")] = None,
    redirect_uri: Annotated[list[str] | None, Option(help="Where people are sent back to, to the last character. May be repeated.")] = None,
    launch_uri: Annotated[str | None, Option(help="Where it starts when it is opened from here (EHR launch).")] = None,
    scope: Annotated[str | None, Option(help="The scopes that it may get at most. Without it, all that a role may be granted.")] = None,
    role: Annotated[str | None, Option(help="The one role of its tokens; a backend needs it (ehr or referrer).")] = None,
    organization: Annotated[str | None, Option(help="The id of its Organization; a backend needs it.")] = None,
    jwks: Annotated[
        Path | None, Option(help="A file with its public keys (a JWK Set), for a kind that signs.", exists=True, dir_okay=False)
    ] = None,
    jwks_uri: Annotated[str | None, Option(help="The address of its public keys, for a kind that signs.")] = None,
    as_json: AsJson = False,
) -> None:
    """Register an API client. Its id is printed, and its secret, where it has one: once."""
    from uuid_utils import uuid4  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)

    from recovery_api.identity.registrations import KINDS, Registration  # noqa: PLC0415

    if kind not in KINDS:
        raise CommandError(f"--kind is not one of {', '.join(KINDS)}: {kind}")
    registration = Registration(
        client_id=str(uuid4()) if client_id is None else client_id,
        name=name,
        kind=kind,
        redirect_uris=tuple(redirect_uri or ()),
        launch_uri=launch_uri,
        scope=scope or "",
        role=role,
        organization=organization,
        jwks=_keys(jwks) if jwks else None,
        jwks_uri=jwks_uri,
    )
    secret = with_server(lambda server: server.authorization.registrations.add(registration))
    _show(registration.client_id, secret, as_json=as_json)


@client.command("list")
def list_(as_json: Annotated[bool, Option("--json", help="Print a JSON list.")] = False) -> None:
    """List the API clients: id, kind, role, name, and whether it was revoked. Secrets are not known to anybody."""
    found = with_server(lambda server: server.authorization.registrations.all())
    if as_json:
        told = ("client_id", "name", "kind", "redirect_uris", "launch_uri", "scope", "role", "organization", "jwks_uri", "revoked")
        echo(json.dumps([{name: getattr(one, name) for name in told} for one in found]))
        return
    for one in found:
        echo("\t".join((one.client_id, one.kind, one.role or "-", one.name, "revoked" if one.revoked else "-")))


@client.command()
def revoke(client_id: ClientId) -> None:
    """Give it no more tokens. Those that it has count no more when this command ends."""
    with_server(lambda server: server.authorization.revoke_client(client_id))


@client.command()
def rotate(client_id: ClientId, as_json: AsJson = False) -> None:
    """Give it another secret, which is printed once; the old one opens nothing any more. Tokens that it has stay."""
    secret = with_server(lambda server: server.authorization.registrations.rotate(client_id))
    _show(client_id, secret, as_json=as_json)


def _show(client_id: str, secret: str | None, *, as_json: bool) -> None:
    if as_json:
        echo(json.dumps({"client_id": client_id, "client_secret": secret}))
        return
    echo(f"client_id: {client_id}")
    if secret is not None:
        echo(f"client_secret: {secret}")


def _keys(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CommandError(f"--jwks is not a JSON file: {path}") from error
    if not isinstance(found, dict):
        raise CommandError(f"--jwks holds no JWK Set: {path}")
    return cast("dict[str, Any]", found)
