"""`recovery-api openapi`: the OpenAPI document."""

from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option


def openapi(
    audience: Annotated[str, Option(help="For whom: frontend, ehr or referrer; without it, the whole document.")] = "",
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
    from recovery_api.policy import matrix  # noqa: PLC0415
    from recovery_api.policy.audiences import audiences  # noqa: PLC0415
    from recovery_api.policy.writes import RULES  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    served = interactions(definition())
    known = audiences(matrix.load(served, RULES), served)
    if audience and audience not in known:
        raise BadParameter(f"There is no audience {audience}; there are: {', '.join(known)}.", param_hint="--audience")
    table = ParameterTable(served, custom=shipped())
    text = written(described(load({}, Path(os.devnull)).fhir_base, table, known.get(audience)))
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        output.write_bytes(text)
