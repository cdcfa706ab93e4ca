"""Required bindings: which codes an element may hold (https://hl7.org/fhir/R4/terminologies.html#required)."""
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from recovery_api.fhir.definitions import Definitions
from recovery_api.fhir.json import Json, JsonObject

CURRENCIES = "http://hl7.org/fhir/ValueSet/currencies"
MIME_TYPES = "http://hl7.org/fhir/ValueSet/mimetypes"
UCUM = "http://hl7.org/fhir/ValueSet/ucum-units"

SYNTAX: Mapping[str, Callable[[str], re.Match[str] | None]] = {
    CURRENCIES: re.compile(r"[A-Z]{3}").fullmatch,
    MIME_TYPES: re.compile(r"(?:json|xml|ttl)|[\w!#$&^.+-]+/[\w!#$&^.+*-]+(?:\s*;.*)?", re.ASCII).fullmatch,
}
"""Value sets that have no list of codes, checked by how a code must look: ISO 4217, and BCP 13 with R4's short formats."""

OPEN_SYSTEMS: Mapping[str, str] = {UCUM: "http://unitsofmeasure.org"}
"""Value sets that are all of a system which is not carried: a code of that system is taken."""


class Binding(NamedTuple):
    """A required binding, ready to check."""

    accepts: Callable[[Json], bool]
    """Takes a code or a CodeableConcept that is well formed."""
    refusal: Callable[[Json], str]
    """Why a value is not accepted, to be read after the element's name."""


def code_binding(definitions: Definitions, value_set: str) -> Binding | None:
    """The check of an element of type code; None where the value set's codes are not known and have no syntax."""
    codes = definitions.code_values(value_set)
    if codes is not None:
        return _listed(codes, value_set)
    syntax = SYNTAX.get(value_set)
    return _by_syntax(syntax, value_set) if syntax else None


def concept_binding(definitions: Definitions, value_set: str) -> Binding | None:
    """The check of a CodeableConcept, one of whose codings must be of the value set; None as in `code_binding`."""
    pairs = definitions.codes(value_set)
    system = OPEN_SYSTEMS.get(value_set)
    if pairs is None and system is None:
        return None
    known = pairs or frozenset[tuple[str, str]]()

    def accepts(concept: JsonObject) -> bool:
        codings: list[JsonObject] = concept.get("coding", [])
        given = [(one.get("system"), one.get("code")) for one in codings]
        return any(pair in known or (system is not None and pair[0] == system and pair[1]) for pair in given)

    def refusal(concept: JsonObject) -> str:
        return f"needs a coding of {value_set}, with system and code{_nearest_coding(concept, known)}"

    return Binding(accepts, refusal)


def _listed(codes: frozenset[str], value_set: str) -> Binding:
    def refusal(code: str) -> str:
        return f"has the code '{code[:60]}', which {value_set} does not have{_nearest(code, codes)}"

    return Binding(codes.__contains__, refusal)


def _by_syntax(syntax: Callable[[str], re.Match[str] | None], value_set: str) -> Binding:
    def accepts(code: str) -> bool:
        return syntax(code) is not None

    def refusal(code: str) -> str:
        return f"has '{code[:60]}', which is not a code of {value_set}"

    return Binding(accepts, refusal)


def _nearest(code: str, codes: frozenset[str]) -> str:
    nearest = get_close_matches(code, sorted(codes), 1)
    return f"; did you mean '{nearest[0]}'?" if nearest else ""


def _nearest_coding(concept: JsonObject, pairs: frozenset[tuple[str, str]]) -> str:
    given = {one.get("code") for one in concept.get("coding", ())}
    same = sorted(f"{system}|{code}" for system, code in pairs if code in given)
    return f"; did you mean {same[0]}?" if same else ""
