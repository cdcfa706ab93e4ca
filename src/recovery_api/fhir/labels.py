"""Security labels as bits of one number, and as codings of `meta.security` (https://hl7.org/fhir/R4/security-labels.html).

A label has one bit wherever it is stored or compared. Labels that are matched together are a family, whose head has a bit that is
set whenever any of the family is; a caller matches heads. What one label implies (a sensitivity: restricted) is set with it.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object

CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

LEVELS: Final = ("V", "R", "N")
"""Confidentiality, the highest first. A body says the highest alone."""
SENSITIVITIES: Final = ("SUD", "ETH", "ETHUD", "OPIOIDUD", "PSY", "MH", "BH", "PSYTHPN", "SDV", "VIO", "SEX", "HIV", "STD", "EMP")
_LAW: Final = ("42CFRPart2", "42CFRPart2CD", "HIPAAPsyNotes", "HIPAAAuth")
_REFRAIN: Final = ("NORDSCLCD", "NORDSCLCDS", "NOAUTH", "NOPAT")
_MARKS: Final = ("PERSISTLABEL", "CPLYCD", "RedisclosureProhibitionMark", "PROCESSINLINELABEL")

_CODES: Final = (
    *((CONFIDENTIALITY, code) for code in LEVELS),
    *((ACT, code) for code in (*_LAW[:1], *SENSITIVITIES, *_LAW[1:], *_REFRAIN, *_MARKS)),
)
"""All labels, in the order in which a body says them. The place of a label is its bit: only ever add at the end."""

_BITS: Final[Mapping[tuple[str, str], int]] = MappingProxyType({coding: 1 << place for place, coding in enumerate(_CODES)})
_BY_CODE: Final[Mapping[str, int]] = MappingProxyType({code: 1 << place for place, (_, code) in enumerate(_CODES)})


def bit(code: str) -> int:
    """The bit of a label. Raises KeyError for a code that is none of the labels known here."""
    return _BY_CODE[code]


def mask(codes: Iterable[str]) -> int:
    """The bits of labels, without what they imply. Raises KeyError."""
    found = 0
    for code in codes:
        found |= bit(code)
    return found


FAMILIES: Final[Mapping[int, int]] = MappingProxyType(
    {bit("ETH"): mask(("ETH", "SUD", "ETHUD", "OPIOIDUD")), bit("PSY"): mask(("PSY", "MH"))}
    | {bit(code): bit(code) for code in ("BH", "PSYTHPN", "SDV", "VIO", "SEX", "HIV", "STD", "EMP")}
)
"""The labels of each family, by the bit of its head."""
SENSITIVE: Final = sum(FAMILIES)
"""The heads of all families of sensitivity."""
SENSITIVITY: Final = mask(SENSITIVITIES)
"""All labels of sensitivity."""
PART2: Final = bit("42CFRPart2")
RESTRICTED: Final = bit("R")
"""Set with `V` too: what is very restricted is restricted."""
APART: Final = mask(("EMP", "PSYTHPN"))
"""Sensitivities that no other implies, and that an episode does not hand on to its notes."""

_IMPLIED: Final = (
    (bit("PSYTHPN"), bit("V")),
    (SENSITIVITY | bit("V"), RESTRICTED),
    (PART2, RESTRICTED | bit("RedisclosureProhibitionMark")),
)


def heads(labels: int) -> int:
    """The heads of the families that the labels are of."""
    return sum(head for head, family in FAMILIES.items() if labels & family)


@lru_cache(maxsize=4096)
def closed(labels: int) -> int:
    """The labels and all that they imply: heads of families, confidentiality, the mark that goes with the law."""
    labels |= heads(labels)
    for causes, implied in _IMPLIED:
        if labels & causes:
            labels |= implied
    return labels


def mask_of(security: Json) -> int:
    """The bits of those codings of a `meta.security` (or of a list of Codings) that are labels known here."""
    found = 0
    for coding in security if is_array(security) else ():
        found |= _bit_of(coding)
    return found


def unknown(security: Json) -> list[Json]:
    """The codings that are no labels known here, as they were sent."""
    return [coding for coding in security if not _bit_of(coding)] if is_array(security) else []


def _bit_of(coding: Json) -> int:
    return _BITS.get((str(coding.get("system")), str(coding.get("code"))), 0) if is_object(coding) else 0


def codings(labels: int) -> list[JsonObject]:
    """The codings of the labels, always in the same order, the highest confidentiality alone."""
    return [{"system": system, "code": code} for system, code in _said(labels)]


@lru_cache(maxsize=4096)
def _said(labels: int) -> tuple[tuple[str, str], ...]:
    level = next((code for code in LEVELS if labels & bit(code)), None)
    said = [(CONFIDENTIALITY, level)] if level else []
    return (*said, *(coding for coding, one in _BITS.items() if labels & one and coding[0] != CONFIDENTIALITY))


def raised(sent: Json, labels: int = 0, raised: int = 0) -> int:
    """The labels that are raised by a write: those raised before, and those sent that the content did not have already.

    `labels` and `raised` are those of the version before: its other labels are computed, and go when its content goes.
    """
    return raised | mask_of(sent) & ~(labels & ~raised)


def mark(resource: JsonObject, labels: int) -> None:
    """Make the labels, and the codings there that are none, the `meta.security` of a resource, in place: just after `lastUpdated`."""
    meta: JsonObject = resource["meta"]
    security = [*codings(labels), *unknown(meta.get("security"))]
    first = {name: meta[name] for name in ("versionId", "lastUpdated") if name in meta}
    rest = {name: value for name, value in meta.items() if name not in first and name != "security"}
    resource["meta"] = first | ({"security": security} if security else {}) | rest
