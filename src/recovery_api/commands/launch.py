"""`recovery-api launch`: the opaque value of an EHR launch, and nothing else."""

from typing import Annotated

from typer import Option, echo

from recovery_api.commands.failure import CommandError
from recovery_api.commands.opened import with_server


def launch(
    client_id: Annotated[str, Option(help="The app that is opened.")],
    fhir_user: Annotated[str, Option(help="Who opens it: Practitioner/ID, or a client's Patient/ID or RelatedPerson/ID.")],
    patient: Annotated[str, Option(help="The id of the Patient whose record is open.")],
    encounter: Annotated[str | None, Option(help="The id of the Encounter that is open.")] = None,
    context: Annotated[list[str] | None, Option(metavar="REFERENCE", help="More that is open, like CarePlan/ID. May be repeated.")] = None,
) -> None:
    """Write the `launch` value of an EHR launch, and nothing else, to standard output.

    The app is then opened at its launch URI with `iss` (the FHIR base) and this value, which is good for five minutes and for one
    authorization.
    """
    from recovery_api.app import Running  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    from recovery_api.identity.actor import ROLES, local_reference  # noqa: PLC0415
    from recovery_api.identity.launches import Launch  # noqa: PLC0415

    async def sealed(server: Running) -> str:
        base = server.server.base

        def known(option: str, text: str, types: frozenset[str]) -> str:
            found = local_reference(text, base, types, plain=len(types) == 1)
            if not found:
                raise CommandError(f"--{option} is not a reference to a {' or '.join(sorted(types))}: {text}")
            return found

        if await server.authorization.registrations.find(client_id) is None:
            raise CommandError(f"There is no API client {client_id}, or it was revoked.")
        people = frozenset(type_ for role in ROLES.values() for type_ in role.users if not role.system)
        opened = Launch(
            client_id=client_id,
            fhir_user=known("fhir-user", fhir_user, people),
            patient=known("patient", patient, frozenset({"Patient"})).removeprefix("Patient/"),
            encounter=known("encounter", encounter, frozenset({"Encounter"})).removeprefix("Encounter/") if encounter else None,
            context=tuple(known("context", one, frozenset(server.server.interactions) - {"Patient", "Encounter"}) for one in context or ()),
        )
        return server.authorization.launches.sealed(opened)

    echo(with_server(sealed))
