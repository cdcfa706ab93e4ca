"""$subsumes: how two codes stand to each other (https://hl7.org/fhir/R4/codesystem-operation-subsumes.html)."""
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating
from recovery_api.operations.vocabulary import code_system


async def subsumes(operating: Operating) -> FhirResult:
    """`outcome`: equivalent, subsumes (A is above B), subsumed-by, not-subsumed. Raises NotFound for what is not known here."""
    given = operating.given()
    system: str | None = given.one("system")
    sides: list[JsonObject] = [given.one(f"coding{side}") or {"system": system, "code": given.one(f"code{side}")} for side in "AB"]
    codes = [str(one.get("code") or "") for one in sides]
    if not all(codes) or sides[0].get("system") != sides[1].get("system"):
        raise BadRequest(Issue("invalid", "Two codes of one system are needed.", "Parameters.parameter"))
    known, shown = await code_system(operating, sides[0].get("system"))
    if unknown := [code for code in codes if code not in known.concepts]:
        raise NotFound(Issue("not-found", f"{unknown[0][:200]} is not a code of {known.url}."))
    one, other = codes
    if one == other:
        outcome = "equivalent"
    elif one in known.above(other):
        outcome = "subsumes"
    else:
        outcome = "subsumed-by" if other in known.above(one) else "not-subsumed"
    return operating.answer(outcome=outcome)._replace(shown=shown)
