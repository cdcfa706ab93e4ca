"""References: where they stand in a resource, and what a literal one says (https://hl7.org/fhir/R4/references.html)."""
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, cast

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object


class Kind(Enum):
    """What a literal reference points to."""

    LOCAL = "a resource on this server"
    CONTAINED = "a resource contained in the same one"
    URN = "a urn: uuid or oid of the same Bundle"
    CONDITIONAL = "a search that finds one resource, in a transaction"
    ELSEWHERE = "a resource or document on another host"


class Literal(NamedTuple):
    """A literal reference, taken apart."""

    kind: Kind
    text: str
    """As relative as can be: one to our own base has lost the base."""
    type: str | None = None
    id: str | None = None
    version: str | None = None

    @property
    def key(self) -> str | None:
        """Type/id without version, for what is on this server."""
        return f"{self.type}/{self.id}" if self.kind is Kind.LOCAL else None


_ID = r"[A-Za-z0-9\-.]{1,64}"
_relative = re.compile(rf"([A-Z][A-Za-z]+)/({_ID})(?:/_history/({_ID}))?").fullmatch
_conditional = re.compile(r"([A-Z][A-Za-z]+)\?\S+").fullmatch
_absolute = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20]+").fullmatch
_fragment = re.compile(r"#[^\x00-\x20]*").fullmatch
_urn = re.compile(r"urn:(?:uuid:[0-9A-Fa-f\-]{36}|oid:[0-2](?:\.\d+)+)").fullmatch
_link = re.compile(r"""(?<=href=["'])urn:(?:uuid|oid):[^"'\s]+|(?<=src=["'])urn:(?:uuid|oid):[^"'\s]+""")


@lru_cache(maxsize=8192)
def parse_reference(text: str, base: str = "") -> Literal | None:
    """Take a literal reference apart; None where it is none by R4's rules.

    `base` is the server's own FHIR base without a slash at its end: absolute references to it count as relative ones.
    """
    if base and text.startswith(f"{base}/"):
        text = text[len(base) + 1 :]
    if text.startswith("#"):
        return Literal(Kind.CONTAINED, text) if _fragment(text) else None
    if match := _relative(text):
        name, logical_id, version = match.groups()
        return Literal(Kind.LOCAL, text, name, logical_id, version) if name in definitions().resource_types else None
    if match := _conditional(text):
        return Literal(Kind.CONDITIONAL, text, match[1]) if match[1] in definitions().resource_types else None
    if text.startswith("urn:"):
        return Literal(Kind.URN if _urn(text) else Kind.ELSEWHERE, text) if _absolute(text) else None
    return Literal(Kind.ELSEWHERE, text) if _absolute(text) else None


def references(resource: JsonObject, place: str | None = None) -> list[tuple[str, JsonObject]]:
    """Every Reference in a resource with a literal `reference`: its place and the object that holds it.

    Contained resources, extensions and Bundle entries are walked too. The place starts with `place`, or the resource's
    type, and is named as in `fhir/profile.py`, save that a choice keeps its JSON name.
    """
    found: list[tuple[str, JsonObject]] = []
    _gather(resource, place or str(resource.get("resourceType")), found)
    return found


def urn_holders(resource: JsonObject) -> Iterator[tuple[JsonObject | list[Json], str | int, str]]:
    """Every place that names a urn:uuid or urn:oid and is rewritten in a transaction: container, key and the text there.

    These are literal references, elements of type uri, url, canonical, oid and uuid, and the links of narratives
    (https://hl7.org/fhir/R4/http.html#trules); plain strings are left alone. A narrative's text may name several.
    """
    name = resource.get("resourceType")
    return _urns(resource, name) if isinstance(name, str) and name in definitions().resource_types else iter(())


def relinked(div: str, targets: Mapping[str, str]) -> str:
    """A narrative whose links and images name these targets in place of their urn:uuid or urn:oid; its text stays."""
    return _link.sub(lambda match: targets.get(match[0], match[0]), div)


def _gather(value: Json, place: str, found: list[tuple[str, JsonObject]]) -> None:
    if is_object(value):
        if isinstance(value.get("reference"), str):
            found.append((place, value))
        for name, item in value.items():
            if type(item) is dict or type(item) is list:
                _gather(item, f"{place}.{name}", found)
    elif is_array(value):
        for index, item in enumerate(value):
            _gather(item, f"{place}[{index}]", found)


_ADDRESSES = frozenset({"uri", "url", "canonical", "oid", "uuid"})


def _urns(value: JsonObject, type_name: str) -> Iterator[tuple[JsonObject | list[Json], str | int, str]]:
    elements = definitions().type(type_name).elements
    for name, item in value.items():
        element = elements.get(name.removeprefix("_"))
        if element is None:
            continue
        if name.startswith("_"):
            kind = "Element"
        elif type_name == "Reference" and name == "reference":
            kind = "uri"
        else:
            kind = element.type
        holders: list[tuple[JsonObject | list[Json], str | int]] = (
            [(item, index) for index in range(len(item))] if is_array(item) else [(value, name)]
        )
        for holder, key in holders:
            yield from _urns_at(holder, key, kind)


def _urns_at(holder: JsonObject | list[Json], key: str | int, kind: str) -> Iterator[tuple[JsonObject | list[Json], str | int, str]]:
    one: Json = cast("dict[str | int, Json]", holder)[key]
    if is_object(one):
        nested: Json = one.get("resourceType") if kind == "Resource" else kind
        if isinstance(nested, str) and nested in definitions().type_names:
            yield from _urns(one, nested)
    elif isinstance(one, str) and ((kind in _ADDRESSES and one.startswith("urn:")) or (kind == "xhtml" and _link.search(one))):
        yield holder, key, one
