"""$import: brings files of NDJSON or Bundles in, by a job (docs/decisions/0032)."""
from typing import Any, Final, cast

import msgspec

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.interactions.bulk.asked import IMPORT, Import, Source, asking
from recovery_api.interactions.bulk.begin import accepted
from recovery_api.interactions.bulk.sources import check
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating

FORMATS: Final = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
MOST_SOURCES: Final = 1_000


async def import_(operating: Operating) -> FhirResult:
    """202 with the address at which the job tells how it does.

    Raises BadRequest without `Prefer: respond-async`, and for a source that may not be taken.
    """
    server, request = operating.server, operating.request
    if not request.prefer.respond_async:
        raise BadRequest(Issue("required", "An import is answered later: send the header Prefer: respond-async."))
    given = operating.given()
    if given.one("inputFormat") not in {None, *FORMATS}:
        raise BadRequest(Issue("value", f"The parameter 'inputFormat' is one of {', '.join(sorted(FORMATS))}."))
    sources = [Source(str(each.one("type") or ""), str(each.one("url"))) for each in given.all("input")]
    if len(sources) > MOST_SOURCES:
        raise BadRequest(Issue("too-costly", f"The parameter 'input' stands here {MOST_SOURCES} times at most."))
    for source in sources:
        if source.type and source.type not in server.interactions:
            raise BadRequest(Issue("value", f"{source.type[:64]} is not a type that this server holds."))
        await check(server.jobs, source.url)
    notify = given.one("notify") is True
    asked = Import(**cast("dict[str, Any]", asking(request, f"{server.base}/$import")), sources=sources, notify=notify)
    return await accepted(server, request, IMPORT, msgspec.json.encode(asked))
