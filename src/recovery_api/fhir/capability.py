"""The CapabilityStatement that `/metadata` serves, put together from `definitions/` (https://hl7.org/fhir/R4/capabilitystatement.html)."""
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from recovery_api.fhir.conformance import own
from recovery_api.fhir.descriptions import parameter_words
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.search.parameters import ParameterTable, SearchParameter
from recovery_api.fhir.shipped import shipped
from recovery_api.fhir.topics import topics

HIDDEN_KINDS: Mapping[str, str] = {"words": "string"}


def definition() -> JsonObject:
    """The CapabilityStatement of `definitions/`: types, interactions and profiles."""
    return shipped("CapabilityStatement")[0]


def operations() -> list[JsonObject]:
    """The OperationDefinitions of `definitions/`, by their code's order. One with a `base` is HL7's operation, as far as it goes here."""
    return shipped("OperationDefinition")


def operation_types(operation: JsonObject, types: Sequence[str]) -> list[str]:
    """The served types that have an operation; Resource stands for all."""
    said: Sequence[str] = operation.get("resource", ())
    return [type for type in types if type in said or "Resource" in said]


def interactions(statement: JsonObject) -> dict[str, frozenset[str]]:
    """The interactions of each served type."""
    resources = statement["rest"][0]["resource"]
    return {entry["type"]: frozenset(one["code"] for one in entry["interaction"]) for entry in resources}


TOPIC = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def capability(
    statement: JsonObject,
    table: ParameterTable,
    base: str,
    operations: Sequence[JsonObject],
    oauth_uris: Mapping[str, str] = MappingProxyType({}),
) -> JsonObject:
    """The statement as this server at `base` serves it: with every search parameter, include and operation.

    `oauth_uris` are the addresses of the authorization server by SMART's names for them (authorize, token, …).
    """
    rest: JsonObject = statement["rest"][0]
    if oauth_uris:
        told = [{"url": name, "valueUri": address} for name, address in oauth_uris.items()]
        rest = {**rest, "security": {"extension": [{"url": OAUTH_URIS, "extension": told}], **rest["security"]}}
    by_type: dict[str, list[JsonObject]] = {}
    everywhere: list[JsonObject] = []
    for operation in operations:
        said = {"name": operation["code"], "definition": operation.get("base", operation["url"])}
        if operation["system"]:
            everywhere.append(said)
        for type in operation_types(operation, table.types):
            by_type.setdefault(type, []).append(said)
    pointing = _pointing(table)
    served = [_resource(entry, table, pointing, by_type) for entry in rest["resource"]]
    system: JsonObject = {"searchParam": [_parameter(one) for one in _common(table)]}
    if everywhere:
        system["operation"] = everywhere
    return {
        **statement,
        "software": {**statement["software"], "version": version("recovery-api")},
        "implementation": {**statement["implementation"], "url": base},
        "rest": [{**rest, "resource": served, **system}],
    }


def _pointing(table: ParameterTable) -> Mapping[str, list[str]]:
    """By served type, the reference parameters ("Type:code") that may point at it."""
    found: dict[str, list[str]] = {type: [] for type in table.types}
    for source in table.types:
        for parameter in table[source].values():
            if parameter.kind == "reference" and not parameter.internal:
                for target in parameter.targets or table.types:
                    if target in found:
                        found[target].append(parameter.name.replace(".", ":"))
    return {type: sorted(names) for type, names in found.items()}


def _resource(
    entry: JsonObject, table: ParameterTable, pointing: Mapping[str, list[str]], operations: Mapping[str, list[JsonObject]]
) -> JsonObject:
    type = entry["type"]
    known = [parameter for parameter in table[type].values() if not parameter.internal]
    profiles = [*entry.get("supportedProfile", ()), *own(type)]
    said: JsonObject = {
        **entry,
        **({"supportedProfile": profiles} if profiles else {}),
        "searchInclude": ["*", *sorted(parameter.name.replace(".", ":") for parameter in known if parameter.kind == "reference")],
        "searchRevInclude": ["*", *pointing[type]],
        "searchParam": [_parameter(parameter) for parameter in sorted(known, key=lambda one: one.code)],
    }
    if type == "Subscription":
        said["extension"] = [{"url": TOPIC, "valueCanonical": url} for url in topics()]
    return said | ({"operation": found} if (found := operations.get(type)) else {})


def _parameter(parameter: SearchParameter) -> JsonObject:
    said: dict[str, Any] = {"name": parameter.code}
    if parameter.url:
        said["definition"] = parameter.url
    said["type"] = HIDDEN_KINDS.get(parameter.kind, parameter.kind)
    return said | ({"documentation": text} if (text := parameter_words(parameter.name)) else {})


def _common(table: ParameterTable) -> list[SearchParameter]:
    first = table[table.types[0]]
    return [first[code] for code in sorted(first) if code.startswith("_")]
