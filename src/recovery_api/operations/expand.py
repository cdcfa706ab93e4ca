"""$expand: the codes of a value set (https://hl7.org/fhir/R4/valueset-operation-expand.html)."""
from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.search.text import normalised
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating
from recovery_api.operations.vocabulary import value_set

LEFT_OUT = frozenset({"compose", "expansion", "text", "id", "meta"})
PARAMETERS = {"filter": "valueString", "offset": "valueInteger", "count": "valueInteger"}


async def expand(operating: Operating) -> FhirResult:
    """The ValueSet with its expansion, a page of it where `offset` or `count` are given; `filter` is found in codes and displays."""
    given = operating.given()
    for name in ("offset", "count"):
        if (number := given.one(name)) is not None and number < 0:
            raise BadRequest(Issue("value", f"The parameter '{name}' must not be negative.", "Parameters.parameter"))
    subject = await value_set(operating)
    words = normalised(given.one("filter") or "")
    codings = [one for one in subject.codings() if words in normalised(one.display) or words in one.code.lower()]
    start = given.one("offset") or 0
    count = given.one("count")
    page = codings[start:] if count is None else codings[start : start + count]
    server = operating.server
    expansion: JsonObject = {
        "identifier": f"urn:uuid:{server.new_id()}",
        "timestamp": instant(server.clock()),
        "total": len(codings),
        "offset": start,
    }
    if said := [{"name": name, slot: given.one(name)} for name, slot in PARAMETERS.items() if given.one(name) is not None]:
        expansion["parameter"] = said
    if page:
        expansion["contains"] = [_contained(one.system, one.code, one.display) for one in page]
    resource = subject.value_set
    kept = {name: value for name, value in resource.items() if name not in LEFT_OUT}
    if given.one("includeDefinition") and "compose" in resource:
        kept["compose"] = resource["compose"]
    return FhirResult(200, dump(kept | {"expansion": expansion}), shown=subject.shown)


def _contained(system: str, code: str, display: str) -> JsonObject:
    said = {"system": system, "code": code, "display": display}
    return {name: value for name, value in said.items() if value}
