"""The CapabilityStatement that `/metadata` serves, put together from `definitions/` (https://hl7.org/fhir/R4/capabilitystatement.html)."""
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import msgspec

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.search.parameters import ParameterTable, SearchParameter

HIDDEN_KINDS: Mapping[str, str] = {"words": "string"}


def definition() -> JsonObject:
    """The CapabilityStatement of `definitions/`: types, interactions and profiles."""
    path = files("recovery_api") / "definitions" / "CapabilityStatement-recovery-api.json"
    return msgspec.json.decode(path.read_bytes())


def interactions(statement: JsonObject) -> dict[str, frozenset[str]]:
    """The interactions of each served type."""
    resources = statement["rest"][0]["resource"]
    return {entry["type"]: frozenset(one["code"] for one in entry["interaction"]) for entry in resources}


def capability(statement: JsonObject, table: ParameterTable, base: str, operations: Iterable[JsonObject] = ()) -> JsonObject:
    """The statement as this server at `base` serves it: with every search parameter, include and operation."""
    rest = statement["rest"][0]
    by_type: dict[str, list[JsonObject]] = {}
    everywhere: list[JsonObject] = []
    for operation in operations:
        said = {"name": operation["code"], "definition": operation["url"]}
        if operation.get("system"):
            everywhere.append(said)
        for type in operation.get("resource", ()):
            by_type.setdefault(type, []).append(said)
    served = [_resource(entry, table, by_type) for entry in rest["resource"]]
    system: JsonObject = {"searchParam": [_parameter(one) for one in _common(table)]}
    if everywhere:
        system["operation"] = everywhere
    return {
        **statement,
        "software": {**statement["software"], "version": version("recovery-api")},
        "implementation": {**statement["implementation"], "url": base},
        "rest": [{**rest, "resource": served, **system}],
    }


def _resource(entry: JsonObject, table: ParameterTable, operations: Mapping[str, list[JsonObject]]) -> JsonObject:
    type = entry["type"]
    known = [parameter for parameter in table[type].values() if not parameter.internal]
    pointing = sorted(
        parameter.name.replace(".", ":")
        for other in table.types
        for parameter in table[other].values()
        if parameter.kind == "reference" and not parameter.internal and (type in parameter.targets or not parameter.targets)
    )
    said: JsonObject = {
        **entry,
        "searchInclude": ["*", *sorted(parameter.name.replace(".", ":") for parameter in known if parameter.kind == "reference")],
        "searchRevInclude": ["*", *pointing],
        "searchParam": [_parameter(parameter) for parameter in sorted(known, key=lambda one: one.code)],
    }
    return said | ({"operation": found} if (found := operations.get(type)) else {})


def _parameter(parameter: SearchParameter) -> JsonObject:
    said: dict[str, Any] = {"name": parameter.code}
    if parameter.url:
        said["definition"] = parameter.url
    return said | {"type": HIDDEN_KINDS.get(parameter.kind, parameter.kind)}


def _common(table: ParameterTable) -> list[SearchParameter]:
    first = table[table.types[0]]
    return [first[code] for code in sorted(first) if code.startswith("_")]
