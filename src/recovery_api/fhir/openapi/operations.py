"""FHIR operations in the OpenAPI document, from their OperationDefinitions (https://hl7.org/fhir/R4/operations.html)."""
from collections.abc import Iterable, Sequence

from recovery_api.fhir.capability import operation_types
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.openapi.bodies import operation_body
from recovery_api.fhir.openapi.interactions import ALWAYS, BODY
from recovery_api.fhir.openapi.jobs import PREFER, is_asynchronous
from recovery_api.fhir.openapi.parameters import header_refs, ref_to
from recovery_api.fhir.openapi.primitives import INLINE
from recovery_api.fhir.openapi.responses import answer, example_ref, refusals, response_ref
from recovery_api.fhir.openapi.schemas import ENVELOPES, component, ref
from recovery_api.fhir.parameters import Input, inputs, slot

IF_MATCH = "https://recovery-api.example.org/fhir/StructureDefinition/if-match-required"


def operation_paths(definitions: Iterable[JsonObject], types: Sequence[str], system: str) -> dict[str, JsonObject]:
    """Path items without common parameters, by path below the base; `system` is the tag of operations on the whole system."""
    found: dict[str, JsonObject] = {}
    for definition in definitions:
        code, name = definition["code"], f"{definition['name'][0].lower()}{definition['name'][1:]}"
        if definition["system"]:
            found[f"/${code}"] = _methods(definition, None, system, name)
        for type in operation_types(definition, types):
            if definition["type"]:
                found[f"/{type}/${code}"] = _methods(definition, type, type, f"{name}{type}")
            if definition["instance"]:
                found[f"/{type}/{{id}}/${code}"] = _methods(definition, type, type, f"{name}{type}Instance")
    return found


def operation_parameters(definitions: Iterable[JsonObject]) -> dict[str, JsonObject]:
    """Component parameters: what may stand in the query of an operation."""
    return {
        f"{definition['name']}.{one.name}": {
            "name": one.name,
            "in": "query",
            "description": _words(definition, one.name, "in"),
            "required": bool(one.min),
            "schema": _value("string" if one.type == "Coding" else one.type, one.codes),
        }
        for definition in definitions
        if not definition.get("affectsState", True)
        for one in inputs(definition).values()
        if one.in_query
    }


def operation_schemas(definitions: Iterable[JsonObject]) -> dict[str, JsonObject]:
    """Component schemas: the Parameters that go in and come out, each parameter by its name."""
    found: dict[str, JsonObject] = {}
    for definition in definitions:
        name = definition["name"]
        taken = [_taken(definition, one) for one in inputs(definition).values()]
        given = [_given(one) for one in _out(definition)]
        found[f"{name}Parameters"] = _parameters(taken)
        if _result(definition) == "Parameters":
            found[f"{name}Answer"] = _parameters(given)
    return found


def operation_responses(definitions: Iterable[JsonObject]) -> dict[str, JsonObject]:
    """Component responses: what an operation answers, with an example."""
    found: dict[str, JsonObject] = {}
    for definition in definitions:
        result = _result(definition)
        schema = ref(f"{definition['name']}Answer" if result == "Parameters" else result)
        example = result if result == "OperationOutcome" else f"{definition['code']}.answer"
        found[definition["name"]] = answer(definition["title"], schema, (), example_ref(example))
    return found


def _methods(definition: JsonObject, type: str | None, tag: str, name: str) -> JsonObject:
    known = inputs(definition)
    changing = (409, 422) if definition.get("affectsState", True) else ()
    post = _operation(definition, tag, name, (*ALWAYS, *BODY, *changing, 404))
    if needs_match(definition):
        post["parameters"] = header_refs(["If-Match"])
        post["responses"] |= refusals((412, 428))
    if known:
        free = any(one.type == "Resource" for one in known.values())
        post["requestBody"] = operation_body(
            f"{definition['name']}Parameters",
            type if free and type else None,
            f"{definition['code']}.request",
            required=any(one.min for one in known.values()),
        )
    if definition.get("affectsState", True) or any(one.min and not one.is_simple for one in known.values()):
        return {"post": post}
    sent: list[Json] = [PREFER] if is_asynchronous(definition) else []
    if sent:
        post["parameters"] = sent
    query: list[Json] = [*sent, *(ref_to(f"{definition['name']}.{one.name}") for one in known.values() if one.in_query)]
    get = _operation(definition, tag, f"{name}ByQuery", (*ALWAYS, 404))
    return {"post": post, "get": get | ({"parameters": query} if query else {})}


def needs_match(definition: JsonObject) -> bool:
    """Whether the header If-Match is required, as the definition's extension says."""
    return any(each["url"] == IF_MATCH and each["valueBoolean"] for each in definition.get("extension", ()))


def _operation(definition: JsonObject, tag: str, name: str, statuses: tuple[int, ...]) -> JsonObject:
    return {
        "operationId": name,
        "summary": definition["title"],
        "description": definition["description"],
        "tags": [tag],
        "responses": _answers(definition, statuses),
    }


def _answers(definition: JsonObject, statuses: tuple[int, ...]) -> JsonObject:
    if is_asynchronous(definition):
        return {"202": response_ref("Accepted"), **refusals(sorted((*statuses, 429)))}
    return {"200": response_ref(definition["name"]), **refusals(sorted(statuses))}


def _out(definition: JsonObject) -> list[JsonObject]:
    return [one for one in definition["parameter"] if one["use"] == "out"]


def _result(definition: JsonObject) -> str:
    """The type of the resource that is answered: that of the parameter `return`, or Parameters."""
    out = _out(definition)
    alone = len(out) == 1 and out[0]["name"] == "return" and Input("return", out[0]["type"], 1, many=False).is_resource
    return out[0]["type"] if alone else "Parameters"


def _words(definition: JsonObject, name: str, use: str) -> str:
    return next(one["documentation"] for one in definition["parameter"] if one["name"] == name and one["use"] == use)


def _parameters(named: list[JsonObject]) -> JsonObject:
    """The schema of a Parameters resource with these parameters."""
    about: JsonObject = {name: ref(type) for name, type in (("id", component("id")), ("meta", "Meta"))}
    return {
        "type": "object",
        "properties": {"resourceType": {"const": "Parameters", "type": "string"}, **about, "parameter": _any_of(named)},
        "required": ["resourceType"],
    }


def _taken(definition: JsonObject, one: Input) -> JsonObject:
    """The schema of one parameter that goes in: a value, or parts."""
    if one.parts is None:
        return _named(one.name, one.type, _words(definition, one.name, "in"), one.codes)
    return _given(next(each for each in definition["parameter"] if each["name"] == one.name))


def _given(one: JsonObject) -> JsonObject:
    """The schema of one parameter that has no codes of its own: a value, or parts."""
    if "part" not in one:
        return _named(one["name"], one["type"], one["documentation"], None)
    return {
        "title": one["name"],
        "description": one["documentation"],
        "type": "object",
        "properties": {"name": {"const": one["name"], "type": "string"}, "part": _any_of([_given(part) for part in one["part"]])},
        "required": ["name", "part"],
    }


def _any_of(named: list[JsonObject]) -> JsonObject:
    items: JsonObject = named[0] if len(named) == 1 else {"anyOf": named}
    return {"type": "array", "items": items if named else ref("ParametersParameter")}


def _named(name: str, type: str, words: str, codes: frozenset[str] | None) -> JsonObject:
    """The schema of one parameter."""
    place = slot(type)
    return {
        "title": name,
        "description": words,
        "type": "object",
        "properties": {"name": {"const": name, "type": "string"}, place: _value(type, codes)},
        "required": ["name", place],
    }


def _value(type: str, codes: frozenset[str] | None) -> JsonObject:
    if codes is not None:
        return {"type": "string", "enum": sorted(codes)}
    if type == "Resource" or type in ENVELOPES:
        return ref(type)
    return dict(INLINE[type]) if type in INLINE else ref(component(type))
