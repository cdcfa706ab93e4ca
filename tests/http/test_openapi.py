"""What /openapi.json says is so: every path and method in it answers as it says, and there is no other."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from recovery_api.demo.world import fixture
from recovery_api.fhir import invariants, narrative, profile
from recovery_api.fhir.capability import definition, interactions
from recovery_api.fhir.json import JsonObject, parse
from recovery_api.fhir.openapi.document import described
from recovery_api.fhir.search.parameters import ParameterTable, shipped
from recovery_api.policy.matrix import LETTERS
from tests.api import Api, Client, Response, serving
from tests.callers import APP_ANA, CHEN, KIM, MAYA, NOOR, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.databases import Databases

SERVED = interactions(definition())
CALLERS = (RUTH, KIM, MAYA, SAM, CHEN, APP_ANA, SYS_LAKESIDE, SYS_RIVERBEND)
METHODS = ("get", "head", "post", "put", "patch", "delete")
LETTER = {"get": "r", "head": "r", "post": "c", "put": "u", "patch": "u", "delete": "d"}
LATER = {"delete": 1}
FORM = "application/x-www-form-urlencoded"


@cache
def document() -> JsonObject:
    """As it is served at the default address."""
    return json.loads(json.dumps(described("http://127.0.0.1:8000/fhir", ParameterTable(SERVED, custom=shipped()))))


@cache
def examples() -> dict[str, Any]:
    return {name: one["value"] for name, one in document()["components"]["examples"].items()}


@cache
def registry() -> Registry[Any]:
    return Registry().with_resource("urn:document", DRAFT202012.create_resource(document()))


def resolved(value: JsonObject) -> JsonObject:
    """What a reference stands for."""
    if "$ref" in value:
        found: Any = document()
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return resolved(found)
    return value


def problems(schema: JsonObject, value: Any) -> list[str]:
    """Where a value is not what a schema of the document says."""
    rooted = json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))
    return [error.message[:200] for error in Draft202012Validator(rooted, registry=registry()).iter_errors(value)]


def operations(tag: str) -> Iterator[tuple[str, str, JsonObject]]:
    """Path, method and operation of each operation with the tag; deletions last."""
    found = [
        (path, method, item[method])
        for path, item in document()["paths"].items()
        for method in METHODS
        if method in item and item[method]["tags"] == [tag]
    ]
    yield from sorted(found, key=lambda one: LATER.get(one[1], 0))


TAGS = tuple(tag["name"] for tag in document()["tags"])


@pytest.fixture(scope="module")
async def described_api(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The fixture world, and the document's examples beside it."""
    url = databases.clone(migrated_template)
    world = {(each["resourceType"], each["id"]): each for each in fixture()}
    more = {(name, one["id"]): one for name, one in examples().items() if name in SERVED and name != "AuditEvent"}
    async with serving(url, tmp_path_factory.mktemp("described"), (more | world).values()) as server:
        yield server
    databases.drop(url)


def caller_for(api: Api, method: str, path: str, tag: str) -> Caller:
    """Somebody whose role may do it, where there is one."""
    letter = "s" if "_search" in path or (method == "get" and "{id}" not in path) else LETTER[method]
    assert letter in LETTERS
    matrix = api.running.server.matrix
    if "$" in path:
        above, _, code = path.rpartition("$")
        type = "" if above == "/" else tag
        return next(caller for caller in (*CALLERS[:4], NOOR, *CALLERS[4:]) if (caller.role, code, type) in matrix.operations)
    fit = [caller for caller in CALLERS if (row := matrix.of(caller.role, tag)) and letter in row.may]
    fit.sort(key=lambda caller: matrix.access[caller.role, tag].rows == "own-subscriptions")  # nobody made what was loaded
    return fit[0] if fit else RUTH


async def call(api: Api, caller: Caller | None, method: str, path: str, operation: JsonObject, tag: str) -> Response:
    """The request that the document's examples make."""
    id = examples().get(tag, {}).get("id", "ana")
    filled = path.replace("{id}", id).replace("{version}", "1").replace("{member}", "*")
    query = {"_id": id} if any(one.get("$ref", "").endswith("/criteria") for one in operation.get("parameters", ())) else {}
    content, headers = b"", {}
    if "requestBody" in operation:
        media_type, media = max(operation["requestBody"]["content"].items())
        headers["content-type"] = media_type
        example = next((resolved(one)["value"] for one in media.get("examples", {}).values()), examples().get(tag, {}))
        content = b"" if media_type == FORM else json.dumps(example).encode()
    return await client(api, caller).request(method.upper(), filled, content, headers=headers, **query)


@cache
def client(api: Api, caller: Caller | None) -> Client:
    """One token for all that a caller asks."""
    return api.as_(caller)


async def test_a_deletion_is_told_with_a_body_where_the_caller_prefers_one(described_api: Api) -> None:
    kim = described_api.as_(KIM)
    for preferred, status in (("OperationOutcome", 200), ("minimal", 204), ("representation", 204)):
        made = await kim.post("Location", {"resourceType": "Location", "name": "A room"})
        answer = await kim.delete(f"Location/{made.json['id']}", headers={"prefer": f"return={preferred}"})
        assert (answer.status, bool(answer.body)) == (status, status == 200)
        assert (await kim.get(f"Location/{made.json['id']}")).status == 410


@pytest.mark.parametrize("tag", TAGS)
async def test_every_operation_answers_as_the_document_says(described_api: Api, tag: str) -> None:
    wrong: list[str] = []
    for path, method, operation in operations(tag):
        caller = caller_for(described_api, method, path, tag)
        answer = await call(described_api, caller, method, path, operation, tag)
        where = f"{method} {path} as {caller.name}: {answer.status}"
        said = operation["responses"].get(str(answer.status))
        if said is None or answer.status in {405, 503}:
            wrong.append(f"{where} {answer.body[:300]!r}")
            continue
        content = resolved(said).get("content", {})
        if answer.status == 404 and answer.body and answer.issue[1] == "not-supported":
            wrong.append(f"{where} {answer.body[:300]!r}")
        elif answer.body and not content:
            wrong.append(f"{where} has a body")
        elif answer.body:
            schema = content["application/fhir+json"]["schema"]
            wrong += [f"{where} {problem}" for problem in problems(schema, json.loads(answer.body))]
    assert wrong == []


@pytest.mark.parametrize("tag", TAGS)
async def test_every_operation_that_needs_a_token_says_so(described_api: Api, tag: str) -> None:
    for path, method, operation in operations(tag):
        answer = await call(described_api, None, method, path, operation, tag)
        assert (answer.status == 401) == (operation.get("security") != []), (method, path)


async def test_what_is_not_in_the_document_is_refused(described_api: Api) -> None:
    wrong: list[str] = []
    for path, item in document()["paths"].items():
        tag = next(item[method]["tags"][0] for method in METHODS if method in item)
        for method in METHODS:
            if method in item or (method == "head" and "get" in item):
                continue
            answer = await call(described_api, caller_for(described_api, method, path, tag), method, path, {}, tag)
            if answer.status not in {403, 404, 405}:
                wrong.append(f"{method} {path}: {answer.status} {answer.body[:200]!r}")
    assert wrong == []


@pytest.mark.parametrize("path", ["Account", "Basic/1", "Patient/ana/$no-such", "$no-such", "Patient/ana/_history/1/2", "no-such"])
async def test_a_path_that_is_not_in_the_document_is_not_found(described_api: Api, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await described_api.as_(RUTH).request(method, path)).status == 404


@pytest.mark.parametrize("name", sorted(examples()))
def test_every_example_is_valid_by_the_definitions_and_by_the_document(name: str) -> None:
    example = examples()[name]
    schema = "JsonPatch" if name == "JsonPatch" else examples()[name]["resourceType"]
    assert problems({"$ref": f"#/components/schemas/{schema}"}, example) == []
    if schema != "JsonPatch":
        resource = parse(json.dumps(example).encode())
        assert [*profile.check(resource, schema), *narrative.check(resource), *invariants.check(resource, schema)] == []


def test_every_resource_of_the_fixture_world_is_valid_by_the_document() -> None:
    for resource in fixture():
        assert problems({"$ref": "#/components/schemas/Resource"}, json.loads(json.dumps(resource))) == [], resource["id"]


@pytest.mark.parametrize(
    ("type", "change"),
    [
        ("Patient", {"gender": "woman"}),
        ("Patient", {"birthDate": "4 April"}),
        ("Patient", {"deceasedBoolean": True, "deceasedDateTime": "2026-01-01"}),
        ("Patient", {"surname": "Gray"}),
        ("Patient", {"name": {"family": "Gray"}}),
        ("Observation", {"status": None}),
        ("Observation", {"valueInteger": "5"}),
        ("Goal", {"description": []}),
        ("MedicationRequest", {"medicationReference": None}),
        ("Task", {"resourceType": "Patient"}),
    ],
)
def test_a_wrong_resource_is_wrong_by_the_document_too(type: str, change: JsonObject) -> None:
    changed = {name: value for name, value in (examples()[type] | change).items() if value is not None}
    assert problems({"$ref": f"#/components/schemas/{type}"}, changed)


def test_operation_ids_are_unique_and_references_lead_somewhere() -> None:
    ids = [item[method]["operationId"] for item in document()["paths"].values() for method in METHODS if method in item]
    assert len(ids) == len(set(ids))
    assert {"readPatient", "searchObservation", "createEncounter", "transact", "validateTask"} <= set(ids)

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    used = set(references(document()))
    assert all(resolved({"$ref": reference}) for reference in used)
    kept = ("schemas", "parameters", "responses", "headers", "examples")
    there = {f"#/components/{kind}/{name}" for kind in kept for name in document()["components"][kind]}
    assert there - used == set()


FORMS = {"read": "r", "head": "r", "vread": "r", "historyOf": "r", "historyOfAll": "s", "search": "s"}
FORMS |= {"create": "c", "update": "u", "patch": "u", "delete": "d"}
FORM_OF = re.compile(f"({'|'.join(FORMS)})({'|'.join(SERVED)})(ByCriteria|ByForm|Compartment|CompartmentByForm)?")


@pytest.mark.parametrize("audience", ["frontend", "ehr", "referrer"])
async def test_an_audience_sees_what_its_roles_may_ever_use_and_nothing_else(described_api: Api, audience: str) -> None:
    origin = str(described_api.http.base_url).removesuffix("/fhir/")
    async with httpx.AsyncClient(base_url=origin) as http:
        answer = await http.get("/openapi.json", params={"audience": audience})
        said = answer.json()
        again = await http.get("/openapi.json", params={"audience": audience}, headers={"if-none-match": answer.headers["etag"]})
    assert (answer.status_code, again.status_code) == (200, 304)
    matrix = described_api.running.server.matrix
    roles = matrix.audiences[audience]
    whole = {item[method]["operationId"]: path for path, item in document()["paths"].items() for method in METHODS if method in item}
    seen = {item[method]["operationId"]: path for path, item in said["paths"].items() for method in METHODS if method in item}
    assert seen.items() <= whole.items()
    for name, path in whole.items():
        if "$" in path:
            above, _, code = path.rpartition("$")
            may = any((role, code, above.strip("/").partition("/")[0]) in matrix.operations for role in roles)
        elif path.startswith("/_jobs/"):
            may = any((role, "export", "") in matrix.operations for role in roles)
        elif plain := FORM_OF.fullmatch(name):
            needs = "r" if "Compartment" in name else FORMS[plain[1]]
            may = any((row := matrix.of(role, plain[2])) and needs in row.may for role in roles)
        else:
            may = True
        assert (name in seen) == may, name
    types = {type for type in SERVED for role in roles if matrix.of(role, type)}
    assert {tag["name"] for tag in said["tags"]} - {"System"} == types
    assert {type for type in SERVED if type in said["components"]["schemas"]} - types <= {"AuditEvent"}  # whose record was looked at
    for name, one in said["components"]["examples"].items():
        schema = {"$ref": "#/components/schemas/" + ("JsonPatch" if name == "JsonPatch" else one["value"]["resourceType"])}
        rooted = json.loads(json.dumps(schema).replace('"#/', '"urn:audience#/'))
        known = Registry[Any]().with_resource("urn:audience", DRAFT202012.create_resource(said))
        assert [error.message for error in Draft202012Validator(rooted, registry=known).iter_errors(one["value"])] == [], name


async def test_the_document_is_served_with_the_public_address_and_an_etag(
    databases: Databases, migrated_template: str, tmp_path: Any
) -> None:
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, PUBLIC_URL="https://api.example.org") as api:
        origin = str(api.http.base_url).removesuffix("/fhir/")
        async with httpx.AsyncClient(base_url=origin) as http:
            answer = await http.get("/openapi.json")
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
            assert answer.json()["servers"][0]["url"] == "https://api.example.org/fhir"
            assert answer.json() == document() | {"servers": answer.json()["servers"]}
            again = await http.get("/openapi.json", headers={"if-none-match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert (await http.head("/openapi.json")).headers["etag"] == answer.headers["etag"]
    databases.drop(url)
