"""The rules of labelling: `definitions/label-rules.toml`, read once, and what a resource's own content says by them.

Sources: domain.md 3.2, world.md decisions 1 and 2. How labels come from elsewhere is `store/labelling.py`'s work.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import files
from itertools import chain
from typing import Any, Final, TypeAlias

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object
from recovery_api.fhir.labels import mask, mask_of
from recovery_api.fhir.paths import at, references_at
from recovery_api.store.records import Basis

LOINC: Final = "http://loinc.org"
SIGNED: Final = frozenset({"final"})

Lookup: TypeAlias = Callable[[str], int]
"""From a code of one system to the bits of its labels."""


class LabelRules:
    """The rules, ready for use."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        """`said` is what the file says. Raises KeyError for a label that is not known."""
        self._elements = frozenset[str](said["elements"])
        self._counted: dict[str, bool] = {}
        self._travels: tuple[str, ...] = tuple(said["travels"])
        self._without_law = frozenset[str](said["without_law"])
        self._notes = {type: frozenset[str](kinds) for type, kinds in said["notes"].items()}
        self._systems = {url: lookup for system in said["system"] for lookup in (_lookup(system),) for url in system["urls"]}
        self._questionnaires: dict[str, int] = {}
        for label, names in said["questionnaires"].items():
            for name in names:
                self._questionnaires[name] = self._questionnaires.get(name, 0) | mask([label])

    def basis(self, resource: JsonObject, kind: str, client: str) -> Basis:
        """What the labels of a version are made of: its content, and whether its client's law and families come to it."""
        type = resource["resourceType"]
        is_note = bool(client) and type in self._notes and kind not in self._notes[type]
        labelled = mask_of(at(resource, "securityLabel.coding")) if type == "DocumentReference" else 0
        narrowed = bool(labelled) and resource.get("docStatus") in SIGNED and "authenticator" in resource
        return Basis(self._own(resource) | labelled, lawful=type not in self._without_law, collective=is_note and not narrowed)

    def carriers(self, resource: JsonObject) -> Iterator[str]:
        """What the resource takes sensitivities from: literal references, "Type/id"."""
        return chain.from_iterable(references_at(resource, path) for path in self._travels)

    def _own(self, resource: JsonObject) -> int:
        found = self._questionnaire(resource["questionnaire"]) if "questionnaire" in resource else 0
        for member, value in resource.items():
            if self._counts(member):
                found |= self._within(value)
        return found

    def _counts(self, member: str) -> bool:
        known = self._counted.get(member)
        if known is None:
            end = next((place for place, letter in enumerate(member) if letter.isupper()), len(member))
            known = self._counted[member] = member in self._elements or member[:end] in self._elements
        return known

    def _within(self, value: Json) -> int:
        found = 0
        if is_array(value):
            for item in value:
                found |= self._within(item)
        elif is_object(value):
            lookup = self._systems.get(value.get("system", ""))
            if lookup is not None:
                found |= lookup(str(value.get("code", "")))
            for member, inner in value.items():
                if type(inner) is not str:
                    found |= self._within(inner)
                elif member in _NAMES:
                    found |= self._questionnaire(inner)
        return found

    def _questionnaire(self, url: Json) -> int:
        """By the parts of a canonical URL or a linkId: a name that the file knows, or a LOINC code."""
        found = 0
        for part in str(url).partition("|")[0].split("/"):
            found |= self._questionnaires.get(part.lower(), 0) | self._systems[LOINC](part)
        return found


_NAMES: Final = frozenset({"linkId", "definition", "questionnaire"})
"""Elements that name a question or its questionnaire without a Coding."""


def _lookup(system: Mapping[str, Any]) -> Lookup:
    labels: dict[str, int] = {}
    for rule in system["rules"]:
        bits = mask(rule["labels"])
        for code in rule["codes"]:
            for one in _range(code):
                labels[one.replace(".", "") if system.get("begins") else one] = bits
    return partial(_beginning, labels) if system.get("begins") else partial(_exactly, labels)


def _exactly(labels: Mapping[str, int], code: str) -> int:
    return labels.get(code, 0)


def _beginning(labels: Mapping[str, int], code: str) -> int:
    code = code.replace(".", "").strip().upper()
    return next((labels[code[:end]] for end in range(len(code), 2, -1) if code[:end] in labels), 0)


def _range(code: str) -> Iterator[str]:
    """F10..F19 means F10, F11, … F19."""
    first, dots, last = code.partition("..")
    if not dots:
        return iter((code,))
    letter = first[0]
    return (f"{letter}{number:02}" for number in range(int(first[1:]), int(last[1:]) + 1))


def load() -> LabelRules:
    """The rules of the file. Raises KeyError where it names a label that is not known."""
    return LabelRules(said_in_file())


def said_in_file() -> dict[str, Any]:
    """What the file says."""
    return tomllib.loads((files("recovery_api") / "definitions" / "label-rules.toml").read_text("utf-8"))
