"""$validate-code: whether a code is in a value set or code system
(https://hl7.org/fhir/R4/valueset-operation-validate-code.html, codesystem-operation-validate-code.html)."""
from collections.abc import Sequence

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.parameters import Given
from recovery_api.fhir.terminology import Coding
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.frame import Operating
from recovery_api.operations.vocabulary import code_system, value_set


async def validate_code(operating: Operating) -> FhirResult:
    """`result`, with a `message` where it is false, and the `display` that belongs to the code.

    Of a CodeableConcept, one coding must be in the set. A display that is given must be the code's own.
    """
    given = operating.given()
    asked = _asked(given)
    if operating.request.type == "CodeSystem":
        system, shown = await code_system(operating, given.one("url"))
        where = system.url
        codings = [Coding(system.url, one.code, one.display) for one in system.concepts.values()]
        asked = [one if one.get("system") else {**one, "system": system.url} for one in asked]
    else:
        subject = await value_set(operating)
        shown = subject.shown
        where = subject.value_set.get("url", "the value set")
        codings = subject.codings()
    known = {(one.system, one.code): one for one in codings}
    found = [(one, coding) for one in asked for coding in _matching(one, known)]
    if not found:
        named = ", ".join(f"{one.get('system', '')}|{one.get('code', '')}" for one in asked)
        return operating.answer(result=False, message=f"{named[:500]} is not in {where}.")._replace(shown=shown)
    said, coding = next(((one, coding) for one, coding in found if _is_named(one, coding)), found[0])
    right = _is_named(said, coding)
    message = None if right else f"{said['display'][:200]} is not what {coding.code} is called: {coding.display}."
    return operating.answer(result=right, message=message, display=coding.display or None)._replace(shown=shown)


def _asked(given: Given) -> Sequence[JsonObject]:
    concept: JsonObject | None = given.one("codeableConcept")
    coding: JsonObject | None = given.one("coding")
    said = {"system": given.one("system"), "code": given.one("code"), "display": given.one("display")}
    plain: JsonObject = {name: value for name, value in said.items() if value is not None}
    ways: list[Sequence[JsonObject]] = []
    ways += [concept.get("coding", ())] if concept is not None else []
    ways += [[coding]] if coding is not None else []
    ways += [[plain]] if "code" in plain else []
    if len(ways) != 1:
        raise BadRequest(Issue("invalid", "One of 'code', 'coding' and 'codeableConcept' is needed.", "Parameters.parameter"))
    return ways[0]


def _matching(asked: JsonObject, known: dict[tuple[str, str], Coding]) -> list[Coding]:
    """The codings that have the code; without a system, where one alone has it."""
    if "system" in asked:
        coding = known.get((asked["system"], asked.get("code", "")))
        return [coding] if coding else []
    named = [coding for (_, code), coding in known.items() if code == asked.get("code")]
    return named if len(named) == 1 else []


def _is_named(asked: JsonObject, coding: Coding) -> bool:
    display: str | None = asked.get("display")
    return display is None or not coding.display or display.casefold() == coding.display.casefold()
