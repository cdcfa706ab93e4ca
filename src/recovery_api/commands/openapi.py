"""`recovery-api openapi`: the OpenAPI document."""

from pathlib import Path
from typing import Annotated

from typer import Option


def openapi(
    output: Annotated[Path | None, Option(help="The file to write; without it, standard output.", dir_okay=False)] = None,
) -> None:
    """Write the OpenAPI 3.1 document of the FHIR base, made from the definitions.

    It names the default address as its server, whatever the settings are; `/openapi.json` of a running server names
    RECOVERY_PUBLIC_URL.
    """
    import os  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)
    import sys  # noqa: PLC0415

    from recovery_api.fhir.capability import definition, interactions  # noqa: PLC0415
    from recovery_api.fhir.openapi.document import described, written  # noqa: PLC0415
    from recovery_api.fhir.search.parameters import ParameterTable, shipped  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    table = ParameterTable(interactions(definition()), custom=shipped())
    text = written(described(load({}, Path(os.devnull)).fhir_base, table))
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        output.write_bytes(text)
