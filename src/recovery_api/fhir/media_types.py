"""Media types: FHIR's own, and which of several a caller would rather have (RFC 9110, 12.5.1)."""
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

FHIR_JSON: Final = "application/fhir+json"
JSON_TYPES: Final = frozenset({FHIR_JSON, "application/json", "text/json", "json"})
"""All names of FHIR JSON (https://hl7.org/fhir/R4/http.html#mime-type)."""
VERSIONS: Final = frozenset({"4.0", "4.0.1"})


class _Range(NamedTuple):
    name: str
    quality: float

    def fits(self, offered: str) -> int:
        """How exactly it names a media type: 2 by name, 1 by its first half, 0 as any; -1 not at all."""
        if self.name in {offered, "*/*"}:
            return 0 if self.name == "*/*" else 2
        return 1 if self.name.endswith("/*") and offered.startswith(self.name[:-1]) else -1


def essence(media_type: str) -> str:
    """A media type in lower case, without its parameters."""
    return media_type.partition(";")[0].strip().lower()


@lru_cache(maxsize=256)
def preferred(accept: str, offered: tuple[str, ...]) -> str | None:
    """The one of the media types (without parameters) that an Accept header or a `_format` would rather have; None where it has none.

    What it names is preferred to what it takes as any, and then what is offered first. In a `_format` the '+' may have come as a space.
    """
    ranges = _ranges(accept)
    best: tuple[float, int, int] | None = None
    for place, name in enumerate(offered):
        fit, quality = max(((one.fits(name), one.quality) for one in ranges), default=(-1, 0.0))
        if fit >= 0 and quality > 0 and (best is None or (quality, fit, -place) > best):
            best = (quality, fit, -place)
    return None if best is None else offered[-best[2]]


def _ranges(accept: str) -> Sequence[_Range]:
    found: list[_Range] = []
    for choice in accept.split(","):
        name, *parameters = choice.split(";")
        said = dict(_parameter(each) for each in parameters)
        name = name.strip().lower().replace(" ", "+")
        if name in JSON_TYPES:
            name = FHIR_JSON
        if _version(said) in VERSIONS:
            found.append(_Range(name, _quality(said)))
    return found


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"')


def _version(said: Mapping[str, str]) -> str:
    return said.get("fhirversion", said.get("fhir-version", "4.0"))


def _quality(said: Mapping[str, str]) -> float:
    try:
        return min(max(float(said.get("q", "1")), 0.0), 1.0)
    except ValueError:
        return 0.0
