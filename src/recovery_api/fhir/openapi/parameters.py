"""Parameters of the OpenAPI document: search parameters from their definitions, and what shapes requests and answers."""
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from recovery_api.fhir.descriptions import parameter_words
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.openapi.schemas import ref
from recovery_api.fhir.search.lower import MODIFIERS
from recovery_api.fhir.search.parameters import ParameterTable, SearchParameter
from recovery_api.fhir.search.query import DEFAULT_COUNT, MOST_COUNT
from recovery_api.fhir.search.results import RESULT_PARAMETERS

_HOW: Mapping[str, str] = MappingProxyType(
    {
        "token": "`code`, `system|code`, `|code` or `system|`; several with commas between them mean any of them",
        "string": "The beginning of a string, whatever its case and accents",
        "date": "A date or an instant, with a prefix such as `ge` or `lt`; twice means both",
        "number": "A number, with a prefix such as `gt`",
        "quantity": "`number|system|code`, with a prefix such as `gt`; units are converted (UCUM)",
        "reference": "`id`, `Type/id`, or a whole URL",
        "uri": "A URI, exactly",
        "composite": "Two values with `$` between them, that hold of one and the same element",
        "words": "Words, all of which the text has",
    }
)
"""How the values of each kind of search parameter are written (https://hl7.org/fhir/R4/search.html#ptypes)."""

_CODES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "FormatName": ("json", "application/json", "application/fhir+json"),
        "HandlingPreference": ("handling=strict", "handling=lenient"),
        "ReturnPreference": ("return=minimal", "return=representation", "return=OperationOutcome"),
        "SummaryMode": ("true", "text", "data", "count", "false"),
        "TotalMode": ("none", "estimate", "accurate"),
    }
)
"""Component schemas of what is one of a few words."""

_RESULTS: Mapping[str, tuple[JsonObject, str]] = MappingProxyType(
    {
        "_count": (
            {"type": "integer", "minimum": 0, "default": DEFAULT_COUNT},
            f"Matches on a page; a larger number than {MOST_COUNT} is lowered to it, 0 is as `_summary=count`",
        ),
        "_elements": ({"type": "string"}, "Names of elements, with commas between them, to answer with"),
        "_include": (ref("SearchText"), "`Type:parameter` or `Type:parameter:TargetType`: what matches refer to; `:iterate` goes on"),
        "_revinclude": (ref("SearchText"), "`Type:parameter`: what refers to matches; `:iterate` goes on"),
        "_sort": ({"type": "string"}, "Search parameters, with commas between them, `-` before one for descending"),
        "_summary": (ref("SummaryMode"), "Part of each resource, or with `count` the number of matches only"),
        "_total": (ref("TotalMode"), "Whether the answer is to say how many match"),
    }
)
COMMON = ("_id", "_lastUpdated", "_profile", "_security", "_source", "_tag", "_text", "_content")
"""Search parameters that every type has."""

_ETAG: JsonObject = {"type": "string", "examples": ['W/"1"']}
_HEADERS: Mapping[str, tuple[str, JsonObject, str]] = MappingProxyType(
    {
        "If-Match": ("if-match", _ETAG, "The version that is to be changed; another one is refused (412)"),
        "If-None-Match": ("if-none-match", _ETAG, "The version that the caller has; it is not sent again (304)"),
        "If-Modified-Since": (
            "if-modified-since",
            {"type": "string", "examples": ["Tue, 10 Nov 2026 12:00:00 GMT"]},
            "Sent only where it was changed since",
        ),
        "If-None-Exist": (
            "if-none-exist",
            {"type": "string", "examples": ["identifier=https://lakeside.example/sr|LS-881"]},
            "Search parameters: what matches is answered (200) in place of a second one",
        ),
        "Prefer": ("prefer-return", ref("ReturnPreference"), "What a write is to answer with"),
    }
)
_HANDLING: JsonObject = {
    "name": "Prefer",
    "in": "header",
    "schema": ref("HandlingPreference"),
    "description": "With `handling=lenient` unknown search parameters are ignored, and said to be; else they are refused",
}


def ref_to(name: str) -> JsonObject:
    """A reference to a component parameter."""
    return {"$ref": f"#/components/parameters/{name}"}


def value_schemas() -> dict[str, JsonObject]:
    """Component schemas of search values (one, or several that must all hold), and of what is one of a few words."""
    one: JsonObject = {"type": "string", "minLength": 1}
    said = "Once, or several times: all must hold"
    codes: dict[str, JsonObject] = {name: {"type": "string", "enum": [*words]} for name, words in _CODES.items()}
    return {"SearchText": {"anyOf": [one, {"type": "array", "items": one}], "description": said}, **codes}


def parameters(table: ParameterTable) -> dict[str, JsonObject]:
    """All component parameters, by component name."""
    found: dict[str, JsonObject] = {}
    for header, (name, schema, text) in _HEADERS.items():
        found[name] = {"name": header, "in": "header", "schema": schema, "description": text}
    found["prefer-handling"] = _HANDLING
    found["id"] = {"name": "id", "in": "path", "required": True, "schema": ref("FhirId"), "description": "The logical id", "example": "ana"}
    found["version"] = {
        "name": "version",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
        "description": "The version's id, as `meta.versionId` and ETag say it",
        "example": "1",
    }
    found["_format"] = _query("_format", ref("FormatName"), "JSON is what is served")
    found["_pretty"] = _query("_pretty", {"type": "boolean"}, "Whether the answer is laid out for reading")
    found["_page"] = _query("_page", {"type": "string"}, "As a `next` link says it; alone, or with `_count`; it is the caller's own")
    found["_since"] = _query("_since", ref("FhirInstant"), "Versions since then")
    found["_at"] = _query("_at", ref("FhirDateTime"), "Versions that were current at some time of it")
    found["_type"] = _query("_type", {"type": "string"}, "Resource types, with commas between them")
    found["more"] = _free("Any search parameter with a modifier (`code:text`), a chain (`subject:Patient.name`) or `_has`")
    found["criteria"] = _free("Search parameters that name one resource; at least one")
    for name, (schema, text) in _RESULTS.items():
        found[name] = _query(name, schema, text)
    first = table[table.types[0]]
    for code in COMMON:
        found[code] = _search(first[code])
    for type_ in table.types:
        for parameter in specific(table, type_):
            found[parameter.name] = _search(parameter)
    return found


def specific(table: ParameterTable, type: str) -> list[SearchParameter]:
    """The search parameters of a type, without those that every type has."""
    return [table[type][code] for code in sorted(table[type]) if code not in COMMON and not table[type][code].internal]


def search_refs(table: ParameterTable, type: str | None) -> list[Json]:
    """The parameters of a search over a type, or over several."""
    own = [parameter.name for parameter in specific(table, type)] if type else ["_type"]
    return [ref_to(name) for name in (*own, *COMMON, *sorted(RESULT_PARAMETERS), "_page", "more", "prefer-handling")]


def form(table: ParameterTable, type: str | None) -> JsonObject:
    """The schema of a form that is posted to search."""
    own = [parameter.code for parameter in specific(table, type)] if type else ["_type"]
    properties: dict[str, Json] = {code: ref("SearchText") for code in (*own, *COMMON, *sorted(RESULT_PARAMETERS))}
    return {"type": "object", "properties": properties, "additionalProperties": ref("SearchText")}


def _search(parameter: SearchParameter) -> JsonObject:
    everywhere = parameter.code in COMMON
    parts = [parameter_words(parameter.name), f"{parameter.kind if parameter.kind != 'words' else 'string'}: {_HOW[parameter.kind]}"]
    if parameter.targets:
        parts.append(f"Refers to {', '.join(parameter.targets)}")
    if parameter.expression and not everywhere:
        parts.append(f"Reads `{parameter.expression}`")
    if modifiers := MODIFIERS[parameter.kind]:
        parts.append(f"Modifiers: {', '.join(f':{one}' for one in modifiers)}{', :Type' if parameter.kind == 'reference' else ''}")
    return _query(parameter.code, ref("SearchText"), ". ".join(part.rstrip(".") for part in parts if part))


def _query(name: str, schema: JsonObject, description: str) -> JsonObject:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _free(description: str) -> JsonObject:
    schema: JsonObject = {"type": "object", "additionalProperties": ref("SearchText")}
    return {"name": "search", "in": "query", "style": "form", "explode": True, "schema": schema, "description": description}


def header_refs(names: Iterable[str]) -> list[Json]:
    """The component parameters of request headers."""
    return [ref_to(_HEADERS[name][0]) for name in names]
