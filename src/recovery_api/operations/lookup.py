"""$lookup: what a code means (https://hl7.org/fhir/R4/codesystem-operation-lookup.html)."""
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating
from recovery_api.operations.vocabulary import code_system


async def lookup(operating: Operating) -> FhirResult:
    """Name of the code system, display and definition of a code, and its `parent`s and `child`ren as properties.

    Takes `code` and `system`, or a `coding`. Raises NotFound for a code, or system, that is not known here.
    """
    given = operating.given()
    coding: JsonObject = given.one("coding") or {"system": given.one("system"), "code": given.one("code")}
    code = coding.get("code")
    if not code or (given.one("coding") is not None) == (given.one("code") is not None):
        raise BadRequest(Issue("invalid", "'code' with 'system', or 'coding', is needed.", "Parameters.parameter"))
    system, shown = await code_system(operating, coding.get("system"))
    concept = system.concepts.get(code)
    if concept is None:
        raise NotFound(Issue("not-found", f"{code[:200]} is not a code of {system.url}."))
    wanted = set(given.all("property"))
    above = [("parent", parent) for parent in concept.parents]
    around = [*above, *(("child", child) for child in system.children(code))]
    return operating.answer(
        name=system.name,
        version=system.version or None,
        display=concept.display or concept.code,
        definition=concept.definition or None,
        property=[{"code": name, "value": value} for name, value in around if not wanted or name in wanted],
    )._replace(shown=shown)
