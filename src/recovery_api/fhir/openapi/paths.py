"""The paths of the OpenAPI document: what the CapabilityStatement says that each type has, in HTTP's words."""
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from recovery_api.fhir.compartment import compartments, members
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.openapi import bodies
from recovery_api.fhir.openapi.interactions import COMPARTMENT, CONDITIONAL, DESCRIPTIONS, ON_SYSTEM, ON_TYPE, PUBLIC, Form
from recovery_api.fhir.openapi.jobs import is_asynchronous, job_paths
from recovery_api.fhir.openapi.operations import operation_paths
from recovery_api.fhir.openapi.parameters import COMMON, header_refs, ref_to, search_refs
from recovery_api.fhir.openapi.responses import refusals, response_ref
from recovery_api.fhir.openapi.schemas import ref
from recovery_api.fhir.search.parameters import ParameterTable
from recovery_api.fhir.search.results import RESULT_PARAMETERS

PRESENTATION = (ref_to("_format"), ref_to("_pretty"))
WHOLE_SYSTEM = "System"
"""The tag of what is not of one type."""


class Group(NamedTuple):
    """What the paths of one type, or of the system, have in common."""

    tag: str
    type: str | None
    base: str
    """The path before a form's own."""


def paths(statement: JsonObject, operations: Sequence[JsonObject], table: ParameterTable) -> dict[str, JsonObject]:
    """All path items, by path below the base."""
    found: dict[str, JsonObject] = {}
    rest = statement["rest"][0]
    system = Group(WHOLE_SYSTEM, None, "")
    codes = [one["code"] for one in rest["interaction"]]
    for code in ("capabilities", *codes):
        for form in ON_SYSTEM.get(code, ()):
            _put(found, system, form, table)
    for entry in rest["resource"]:
        group = Group(entry["type"], entry["type"], f"/{entry['type']}")
        for form in _forms(entry):
            _put(found, group, form, table)
        if entry["type"] in compartments() and any(one["code"] == "read" for one in entry["interaction"]):
            for form in COMPARTMENT:
                _put(found, group, form, table)
    later = job_paths(WHOLE_SYSTEM) if any(map(is_asynchronous, operations)) else {}
    for path, methods in (operation_paths(operations, table.types, WHOLE_SYSTEM) | later).items():
        found.setdefault(path, {}).update(methods)
    searched = {entry["type"] for entry in rest["resource"] for one in entry["interaction"] if one["code"] == "search-type"}
    for path, item in found.items():
        named = [ref_to(name) for name in ("id", "version") if f"{{{name}}}" in path]
        item["parameters"] = [*named, *_member(path, table, searched), *PRESENTATION]
    return found


def _forms(entry: JsonObject) -> Iterable[Form]:
    codes = [one["code"] for one in entry["interaction"]]
    for code in codes:
        yield from ON_TYPE[code]
    update, delete = entry["conditionalUpdate"], entry["conditionalDelete"] == "single"
    conditional = {"update": update, "patch": update, "delete": delete}
    for code, forms in CONDITIONAL.items():
        if code in codes and conditional[code]:
            yield from forms


def _put(found: dict[str, JsonObject], group: Group, form: Form, table: ParameterTable) -> None:
    type = group.type or ""
    answers = {str(status): response_ref(name.format(type)) for status, name in form.answers.items()}
    said: JsonObject = {
        "operationId": form.name.format(type),
        "summary": form.summary.format(type),
        "description": DESCRIPTIONS[form.name],
        "tags": [group.tag],
        "responses": answers | refusals(sorted(form.refusals)),
    }
    if parameters := [*_query(form, group, table), *header_refs(form.headers)]:
        said["parameters"] = parameters
    if body := _body(form, group):
        said["requestBody"] = body
    if 401 not in form.refusals or (type, form.name) in PUBLIC:
        said["security"] = []
    found.setdefault(group.base + form.path, {})[form.method] = said


def _query(form: Form, group: Group, table: ParameterTable) -> list[Json]:
    match form.query:
        case "search":
            return search_refs(table, group.type)
        case "compartment":
            return [ref_to(name) for name in (*COMMON, *sorted(RESULT_PARAMETERS), "_page", "more", "prefer-handling")]
        case "history":
            return [ref_to(name) for name in ("_count", "_since", "_at", "_page")]
        case "criteria":
            return [ref_to("criteria")]
        case _:
            return [ref_to("prefer-handling")] if form.body == "form" else []


def _body(form: Form, group: Group) -> JsonObject | None:
    made: Mapping[str, JsonObject] = {
        "patch": bodies.patch_body(),
        "bundle": bodies.bundle_body(),
        "form": bodies.form_body(ref(_form_name(form, group))),
        "resource": bodies.resource_body(group.type or ""),
    }
    return made.get(form.body)


def _form_name(form: Form, group: Group) -> str:
    return "SearchForm" if group.type is None or form in COMPARTMENT else f"{group.type}SearchForm"


def _member(path: str, table: ParameterTable, searched: Collection[str]) -> list[Json]:
    if "{member}" not in path:
        return []
    type = path.split("/")[1]
    schema: JsonObject = {"type": "string", "enum": ["*", *(one for one in members(type, table) if one in searched)]}
    text = "The type of what is searched; `*` is all of them"
    return [{"name": "member", "in": "path", "required": True, "schema": schema, "description": text}]
