"""What one audience of the API has of the CapabilityStatement and the OperationDefinitions: what its roles may ever use."""
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from recovery_api.fhir.capability import operation_types
from recovery_api.fhir.json import JsonObject

_OVER_TYPES: Mapping[str, str] = {"search-system": "search-type", "history-system": "history-type"}
"""Interactions with the whole system that do with many types what another one does with one."""


class Audience(NamedTuple):
    """Programs of one kind: what they may do with each type, and the operations (code and type, '' for the system) that they have."""

    name: str
    interactions: Mapping[str, frozenset[str]]
    operations: frozenset[tuple[str, str]]

    @property
    def types(self) -> frozenset[str]:
        """The types with which it may do anything."""
        return frozenset(type for type, codes in self.interactions.items() if codes) | {type for _, type in self.operations if type}


def narrowed(statement: JsonObject, audience: Audience) -> JsonObject:
    """The CapabilityStatement with the types and interactions that the audience has."""
    rest = statement["rest"][0]
    resources = [_entry(entry, audience.interactions.get(entry["type"], frozenset())) for entry in rest["resource"]]
    kept = [entry for entry in resources if entry["type"] in audience.types]
    everything = frozenset[str]().union(*audience.interactions.values())
    system = [one for one in rest["interaction"] if _OVER_TYPES.get(one["code"]) in {None, *everything}]
    return {**statement, "rest": [{**rest, "resource": kept, "interaction": system}]}


def _entry(entry: JsonObject, codes: frozenset[str]) -> JsonObject:
    return {**entry, "interaction": [one for one in entry["interaction"] if one["code"] in codes]}


def narrowed_operations(operations: Iterable[JsonObject], audience: Audience) -> list[JsonObject]:
    """The OperationDefinitions that the audience may ask for, each with the types on which it may."""
    found: list[JsonObject] = []
    for one in operations:
        types = operation_types(one, [type for code, type in sorted(audience.operations) if code == one["code"] and type])
        system = one["system"] and (one["code"], "") in audience.operations
        if types or system:
            found.append({**one, "resource": types, "system": system})
    return found
