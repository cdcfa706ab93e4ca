"""What is answered later in the OpenAPI document: where a job says how it does, and its files (https://hl7.org/fhir/R4/async.html)."""
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.openapi.interactions import ALWAYS
from recovery_api.fhir.openapi.responses import refusals, response_ref
from recovery_api.fhir.openapi.schemas import ref

ASYNCHRONOUS = "https://recovery-api.example.org/fhir/StructureDefinition/asynchronous"
"""The extension of an OperationDefinition that says that it is answered later."""
NDJSON = "application/fhir+ndjson"
PREFER: JsonObject = {
    "name": "Prefer",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "examples": ["respond-async"]},
    "description": "`respond-async`; with `handling=lenient` beside it what is unknown is ignored, else it is refused",
}


def is_asynchronous(definition: JsonObject) -> bool:
    """Whether an operation is answered later, as the definition's extension says."""
    return any(each["url"] == ASYNCHRONOUS and each["valueBoolean"] for each in definition.get("extension", ()))


def job_paths(tag: str) -> dict[str, JsonObject]:
    """Path items without common parameters, by path below the base."""
    statuses = refusals(sorted((*ALWAYS, 404)))
    status: JsonObject = {
        "operationId": "readJob",
        "summary": "How far a job is, and in the end its files",
        "description": "202 while it is under way. Only who asked for it finds it, and only while every consent stands on which it rests.",
        "tags": [tag],
        "responses": {"200": response_ref("JobDone"), "202": response_ref("JobUnderWay"), **statuses},
    }
    cancel: JsonObject = {
        "operationId": "cancelJob",
        "summary": "End a job, and forget what came of it",
        "description": "While it is under way, and when it is done.",
        "tags": [tag],
        "responses": {"202": response_ref("JobEnded"), **statuses},
    }
    name: JsonObject = {"name": "file", "in": "path", "required": True, "schema": {"type": "string"}}
    file: JsonObject = {
        "operationId": "readJobFile",
        "summary": "A file of a job",
        "description": "A resource a line. The token needs a scope for their type.",
        "tags": [tag],
        "parameters": [name | {"description": "The name that the manifest gives it"}],
        "responses": {"200": response_ref("JobFile"), **statuses},
    }
    return {"/_jobs/{id}": {"get": status, "delete": cancel}, "/_jobs/{id}/{file}": {"get": file}}


def job_responses() -> dict[str, JsonObject]:
    """Component responses."""
    return {
        "Accepted": _said("It has begun; Content-Location is where it says how it does.", "Content-Location"),
        "JobUnderWay": _said("It is under way.", "X-Progress", "Retry-After"),
        "JobEnded": _said("It is ended, and there is nothing of it any more."),
        "JobDone": {**_said("It is done.", "Expires"), "content": {"application/json": {"schema": ref("JobManifest")}}},
        "JobFile": {**_said("A resource a line.", "Expires"), "content": {NDJSON: {"schema": {"type": "string"}}}},
    }


def job_schemas() -> dict[str, JsonObject]:
    """Component schemas."""
    text: JsonObject = {"type": "string"}
    number: JsonObject = {"type": "integer"}
    file: JsonObject = {
        "type": "object",
        "properties": {"type": text, "url": {"type": "string", "format": "uri"}, "count": number, "fileSize": number, "inputUrl": text},
        "required": ["type"],
    }
    listed: JsonObject = {"type": "array", "items": ref("JobManifestFile")}
    members: dict[str, Json] = {
        "transactionTime": {"type": "string", "format": "date-time"},
        "request": text,
        "requiresAccessToken": {"type": "boolean"},
        "output": listed,
        "error": listed,
    }
    more: dict[str, Json] = {"manifestType": text, "outputFormat": text, "outcome": listed, "extension": {"type": "object"}}
    manifest: JsonObject = {
        "type": "object",
        "description": "What came of a job (https://hl7.org/fhir/uv/bulkdata/STU2/export.html)",
        "properties": {**members, **more},
        "required": [*members],
    }
    return {"JobManifest": manifest, "JobManifestFile": file}


def _said(description: str, *headers: str) -> JsonObject:
    return {"description": description, "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in (*headers, "X-Request-Id")}}
