"""What profiles say, as trees: each element with its own rules, the elements in it and its slices.

A profile is a StructureDefinition's differential upon that of its base, down to R4's own type, whose rules `fhir/profile.py` and
`fhir/invariants.py` know. Element ids name the tree's branches: `Observation.category:session.coding`
(https://hl7.org/fhir/R4/elementdefinition.html#id).
"""
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.shipped import shipped

CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
FIXED, PATTERN = "fixed", "pattern"


@dataclass(slots=True)
class Constraint:
    """What a profile says of one element."""

    name: str
    """As in the id, without the slice: "category", "value[x]"; the type for the whole."""
    said: dict[str, Any] = field(default_factory=dict[str, Any])
    """The ElementDefinition's members, those of the base first."""
    children: "dict[str, Constraint]" = field(default_factory=dict[str, "Constraint"])
    slices: "dict[str, Constraint]" = field(default_factory=dict[str, "Constraint"])

    @property
    def bare(self) -> str:
        """The name as FHIRPath has it."""
        return self.name.removesuffix("[x]")

    def value(self, kind: str) -> Any:
        """What the value must be (kind "fixed") or hold ("pattern"); None where nothing is said."""
        return next((value for key, value in self.said.items() if key.startswith(kind)), None)

    def types(self) -> list[JsonObject]:
        """The types that it may have; none where the base alone decides."""
        return self.said.get("type", [])

    def profiles(self, type: str) -> list[str]:
        """The profiles of which a value of the type must keep one."""
        return [url for one in self.types() if one["code"] == type for url in one.get("profile", ())]


@cache
def _ours() -> Mapping[str, JsonObject]:
    return MappingProxyType({one["url"]: one for one in shipped("StructureDefinition")})


def known() -> list[str]:
    """The canonical URLs of all profiles that can be checked."""
    return sorted({*_ours(), *definitions().profile_urls})


def own(type: str) -> list[str]:
    """The canonical URLs of the package's own profiles of a type."""
    return [url for url, one in _ours().items() if one["type"] == type]


def is_known(url: str) -> bool:
    """Whether a profile can be checked: one that is carried, or a type's own. A version after '|' is not looked at."""
    return structure(url) is not None or base_type(url) is not None


def structure(url: str) -> JsonObject | None:
    """A profile that is carried: a StructureDefinition with at least type, baseDefinition and differential."""
    return _ours().get(url.partition("|")[0]) or definitions().profile(url)


def base_type(url: str) -> str | None:
    """The R4 type whose own profile this is."""
    name = url.partition("|")[0].removeprefix(CORE)
    return name if name in definitions().type_names and url.startswith(CORE) else None


def type_of(url: str) -> str | None:
    """The type that a profile is about; None where the profile is not known."""
    found = structure(url)
    return found["type"] if found else base_type(url)


@cache
def tree(url: str) -> Constraint:
    """The tree of a known profile. Not to be changed."""
    chain: list[JsonObject] = []
    while (found := structure(url)) is not None:
        chain.append(found)
        url = found["baseDefinition"]
    root = Constraint(chain[0]["type"] if chain else base_type(url) or "")
    for one in reversed(chain):
        for element in one["differential"]["element"]:
            _add(root, element)
    return root


def _add(root: Constraint, element: JsonObject) -> None:
    at = root
    for step in element["id"].split(".")[1:]:
        name, _, slice = step.partition(":")
        at = at.children.setdefault(name, Constraint(name))
        if slice:
            at = at.slices.setdefault(slice, Constraint(name))
    constraints = [*at.said.get("constraint", ()), *element.get("constraint", ())]
    at.said |= element
    if constraints:
        at.said["constraint"] = constraints
