"""How each FHIR interaction looks over HTTP: a table (https://hl7.org/fhir/R4/http.html#summary)."""
from collections.abc import Mapping
from typing import NamedTuple

ALWAYS = (400, 401, 403, 406, 503)
BODY = (413, 415)


class Form(NamedTuple):
    """One form of an interaction: method and address, what goes in and what comes out."""

    name: str
    """The operation id, with {} for the type."""
    method: str
    path: str
    """Below "/Type", or below the base for the system's."""
    summary: str
    """With {} for the type."""
    answers: Mapping[int, str]
    """Component responses by status, with {} for the type."""
    refusals: tuple[int, ...]
    headers: tuple[str, ...] = ()
    """Request headers."""
    query: str = ""
    """What the query holds: "search", "history", "criteria"."""
    body: str = ""
    """What the body is: "resource", "patch", "form", "bundle"."""


_ITEM = "/{id}"
_READ = {200: "{}", 304: "NotModified"}
_WRITTEN = {200: "{}Written"}
_SAVED = {200: "{}Written", 201: "{}Written"}
_GONE = {200: "Acknowledged", 204: "Deleted"}
_CHANGE = (409, 412)
_FOUND = {200: "Searchset"}
_VERSIONS = {200: "History"}

ON_TYPE: Mapping[str, tuple[Form, ...]] = {
    "read": (
        Form("read{}", "get", _ITEM, "Read a {}", _READ, (*ALWAYS, 404, 410), ("If-None-Match", "If-Modified-Since")),
        Form("head{}", "head", _ITEM, "Read the headers of a {}", _READ, (*ALWAYS, 404, 410), ("If-None-Match", "If-Modified-Since")),
    ),
    "vread": (Form("vread{}", "get", "/{id}/_history/{version}", "Read a version of a {}", _READ, (*ALWAYS, 404, 410)),),
    "create": (
        Form(
            "create{}", "post", "", "Create a {}", _SAVED, (*ALWAYS, *BODY, 409, 412, 422), ("If-None-Exist", "Prefer"), body="resource",
        ),
    ),
    "update": (
        Form(
            "update{}", "put", _ITEM, "Update a {}", _WRITTEN,
            (*ALWAYS, *BODY, *_CHANGE, 405, 422), ("If-Match", "Prefer"), body="resource",
        ),
    ),
    "patch": (
        Form("patch{}", "patch", _ITEM, "Patch a {}", _WRITTEN, (*ALWAYS, *BODY, *_CHANGE, 404, 422), ("If-Match", "Prefer"), body="patch"),
    ),
    "delete": (Form("delete{}", "delete", _ITEM, "Delete a {}", _GONE, (*ALWAYS, *_CHANGE, 404), ("If-Match", "Prefer")),),
    "search-type": (
        Form("search{}", "get", "", "Search for {}", _FOUND, ALWAYS, query="search"),
        Form("search{}ByForm", "post", "/_search", "Search for {}, by a form", _FOUND, (*ALWAYS, *BODY), body="form"),
    ),
    "history-instance": (Form("historyOf{}", "get", "/{id}/_history", "The versions of a {}", _VERSIONS, (*ALWAYS, 404), query="history"),),
    "history-type": (Form("historyOfAll{}", "get", "/_history", "The versions of every {}", _VERSIONS, ALWAYS, query="history"),),
}
"""By interaction code of type level and below."""

CONDITIONAL: Mapping[str, tuple[Form, ...]] = {
    "update": (
        Form(
            "update{}ByCriteria", "put", "", "Update the {} that matches, or create it", _SAVED,
            (*ALWAYS, *BODY, *_CHANGE, 405, 422), ("If-Match", "Prefer"), "criteria", "resource",
        ),
    ),
    "patch": (
        Form(
            "patch{}ByCriteria", "patch", "", "Patch the {} that matches", _WRITTEN,
            (*ALWAYS, *BODY, *_CHANGE, 404, 422), ("If-Match", "Prefer"), "criteria", "patch",
        ),
    ),
    "delete": (
        Form(
            "delete{}ByCriteria", "delete", "", "Delete the {} that matches", _GONE,
            (*ALWAYS, *_CHANGE, 404), ("If-Match", "Prefer"), "criteria",
        ),
    ),
}
"""The forms with criteria in place of an id."""

PUBLIC = frozenset({("OperationDefinition", "read{}"), ("OperationDefinition", "head{}")})
"""What everybody may ask for, by type and form."""

COMPARTMENT: tuple[Form, ...] = (
    Form("search{}Compartment", "get", "/{id}/{member}", "Search in the compartment of a {}", _FOUND, (*ALWAYS, 404), query="compartment"),
    Form(
        "search{}CompartmentByForm", "post", "/{id}/{member}/_search", "Search in the compartment of a {}, by a form",
        _FOUND, (*ALWAYS, *BODY, 404), body="form",
    ),
)

ON_SYSTEM: Mapping[str, tuple[Form, ...]] = {
    "search-system": (
        Form("searchSystem", "get", "/", "Search over several types", _FOUND, ALWAYS, query="search"),
        Form("searchSystemByForm", "post", "/_search", "Search over several types, by a form", _FOUND, (*ALWAYS, *BODY), body="form"),
    ),
    "history-system": (Form("historyOfSystem", "get", "/_history", "The versions of everything", _VERSIONS, ALWAYS, query="history"),),
    "transaction": (
        Form(
            "transact", "post", "/", "A batch, or a transaction that is done as a whole or not at all", {200: "Processed"},
            (*ALWAYS, *BODY, *_CHANGE, 404, 405, 410, 422), ("Prefer",), body="bundle",
        ),
    ),
    "capabilities": (Form("capabilities", "get", "/metadata", "What this server serves, and how", {200: "Capabilities"}, (400, 406)),),
}
"""By interaction code of the whole system; batch and transaction have one form, and capabilities is the statement itself."""

DESCRIPTIONS: Mapping[str, str] = {
    "read{}": "The current version that the caller may see. A caller that has it already is not sent it again (304).",
    "head{}": "As a read, without the body.",
    "vread{}": "One version, also one that is not current any more.",
    "create{}": "The server gives the id. With `If-None-Exist` nothing is created where something matches.",
    "update{}": "The whole resource in its new state; `If-Match` names the version that it replaces. An absent id is not created.",
    "patch{}": "Changes some elements, by a JSON Patch (RFC 6902) or a FHIRPath Patch in Parameters.",
    "delete{}": "It is gone from reads and searches; its versions stay.",
    "search{}": "What matches and the caller may see, page by page: the link `next` of the answer leads on.",
    "search{}ByForm": "The same search with its parameters in the body, where no log of addresses keeps them.",
    "historyOf{}": "Newest first, page by page.",
    "historyOfAll{}": "Of all that the caller may see, newest first, page by page.",
    "update{}ByCriteria": "One match is updated; none: it is created; several are refused (412).",
    "patch{}ByCriteria": "One match is patched; none (404) and several (412) are refused.",
    "delete{}ByCriteria": "One match is deleted; several are refused (412).",
    "search{}Compartment": "What belongs to it, by the CompartmentDefinitions of R4, and matches.",
    "search{}CompartmentByForm": "The same with the parameters in the body.",
    "searchSystem": "Over the types that `_type` names; without it, over all that the caller may search.",
    "searchSystemByForm": "The same with the parameters in the body.",
    "historyOfSystem": "Of all types, newest first, page by page.",
    "transact": "The entries of a transaction are done together or not at all; those of a batch stand each alone.",
    "capabilities": "The CapabilityStatement: types, interactions, search parameters, profiles and operations. It needs no token.",
}
"""By the name of a form, what a caller must know of it, whatever the type is."""
