"""`recovery-api token`: one bearer token on standard output, and nothing else."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

from typer import Option, echo

from recovery_api.commands.failure import CommandError

LONGEST = 366 * 86_400

_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,255}")
_CLAIM = re.compile(r"(?P<name>[A-Za-z_][\w.:/\-]*)=(?P<value>.*)", re.DOTALL)


def token(
    role: Annotated[str, Option(help="The one role: companion, case-manager, treatment-team, ehr, referrer, client, auditor or admin.")],
    fhir_user: Annotated[str | None, Option(help="Who it is for: Practitioner/ID, for a client Patient/ID or RelatedPerson/ID.")] = None,
    client_id: Annotated[str | None, Option(help="The system that it is for, in place of --fhir-user.")] = None,
    scope: Annotated[str | None, Option(help="SMART scopes, separated by spaces. Without it, all that the role may be granted.")] = None,
    patient: Annotated[str | None, Option(help="The id of the Patient that it is launched with.")] = None,
    organization: Annotated[str | None, Option(help="The id of the caller's Organization; systems need it.")] = None,
    claim: Annotated[
        list[str] | None, Option(metavar="NAME=VALUE", help="One more claim, its value read as JSON, else as text. May be repeated.")
    ] = None,
    ttl: Annotated[
        int | None, Option(min=1, max=LONGEST, metavar="SECONDS", help="How long it lasts. Without it, as RECOVERY_TOKEN_TTL says.")
    ] = None,
) -> None:
    """Write one bearer token, and nothing else, to standard output.

    It is signed with the server's own key, so this works only for someone who can read the data folder (RECOVERY_DATA_DIR),
    and the token only for the server with the same RECOVERY_PUBLIC_URL. Staff need no --organization: the server takes that
    of their PractitionerRole.
    """
    import os  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import time  # noqa: PLC0415

    from recovery_api.identity.keys import KeyRing  # noqa: PLC0415
    from recovery_api.identity.tokens import Tokens  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    settings = load(os.environ)
    claims = _caller(settings.fhir_base, role, fhir_user, client_id, patient, organization) | {"scope": _scope(role, scope)}
    claims |= _more(claim or ())
    ring = KeyRing(settings.data_dir / "keys")
    echo(Tokens(ring, settings.public_url, lambda: time.time_ns() // 1000).mint(claims, ttl or settings.token_ttl))


def _caller(
    base: str, role: str, fhir_user: str | None, client_id: str | None, patient: str | None, organization: str | None
) -> dict[str, Any]:
    """The claims that say who calls, checked for what the role needs."""
    from recovery_api.identity.actor import ROLES, local_reference  # noqa: PLC0415

    known = ROLES.get(role)
    if known is None:
        _refuse(f"--role is not one of {', '.join(ROLES)}: {role}")
    user = fhir_user and local_reference(fhir_user, base, known.users)
    bound = patient and local_reference(patient, base, {"Patient"}, plain=True)
    agency = organization and local_reference(organization, base, {"Organization"}, plain=True)
    if fhir_user is not None and not user:
        _refuse(f"--fhir-user is not a reference like {' or '.join(f'{type_}/ID' for type_ in sorted(known.users))}: {fhir_user}")
    if client_id is not None and not _CLIENT_ID.fullmatch(client_id):
        _refuse("--client-id is not a word of at most 255 characters.")
    if patient is not None and not bound:
        _refuse(f"--patient is not the id of a Patient: {patient}")
    if organization is not None and not agency:
        _refuse(f"--organization is not the id of an Organization: {organization}")
    if known.system and not (client_id and agency):
        _refuse(f"The role {role} is for systems: --client-id and --organization are needed.")
    if not known.system and not user:
        _refuse(f"The role {role} is for people: --fhir-user is needed.")
    if role == "client" and not bound and user and user.startswith("RelatedPerson/"):
        _refuse("--patient is needed for a RelatedPerson.")
    if role == "client" and bound and user and user.startswith("Patient/") and user != bound:
        _refuse("--patient is another than --fhir-user, and a client sees their own record only.")
    own = user if user and user.startswith("Patient/") else None
    claims = {
        "sub": user or client_id,
        "fhirUser": user,
        "client_id": client_id,
        "organization": agency,
        "patient": (bound or own or "").removeprefix("Patient/"),
    }
    return {name: value for name, value in claims.items() if value}


def _scope(role: str, text: str | None) -> str:
    from recovery_api.commands.grants import all_scopes  # noqa: PLC0415
    from recovery_api.identity.scopes import ROLE_PREFIX, Scopes  # noqa: PLC0415

    if text is None:
        return all_scopes(role)
    scopes = Scopes.parse(text)
    if scopes.malformed:
        _refuse(f"--scope holds a word that is no SMART scope: {scopes.malformed[0]}")
    if set(scopes.roles) - {role}:
        _refuse(f"--scope names another role than --role: {ROLE_PREFIX}{scopes.roles[0]}")
    return text if scopes.roles else " ".join((ROLE_PREFIX + role, *text.split()))


def _more(claims: Sequence[str]) -> dict[str, Any]:
    more: dict[str, Any] = {}
    for text in claims:
        found = _CLAIM.fullmatch(text)
        if found is None:
            _refuse(f"--claim is not NAME=VALUE: {text}")
        if found["name"] in more:
            _refuse(f"--claim names {found['name']} twice.")
        try:
            more[found["name"]] = json.loads(found["value"], parse_constant=_no_number)
        except ValueError:
            more[found["name"]] = found["value"]
    return more


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON: such a value is text


def _refuse(sentence: str) -> NoReturn:
    raise CommandError(sentence)
