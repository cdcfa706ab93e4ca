"""The words of a resource for `_text` (its narrative) and `_content` (that, and what people wrote in it).

https://hl7.org/fhir/R4/search.html#content. Written by people are: notes, comments, descriptions, titles, free-text values,
payloads and attachments of plain text, Markdown or HTML; not the displays of codes.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping
from typing import Any, cast

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.search.text import without_markup, words

_WRITTEN = frozenset(
    {"description", "title", "comment", "comments", "valueString", "contentString", "patientInstruction", "conclusion", "instruction"}
)
_ANNOTATED = frozenset({"note", "progress"})
_PLAIN = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
_MARKED_UP = frozenset({"text/html", "application/xhtml+xml"})
_SKIPPED = frozenset(
    {"contained", "meta", "extension", "text", "identifier", "coding", "code", "category", "type", "class", "subject", "encounter"}
    | {"performer", "period", "valueQuantity", "valueCodeableConcept", "reasonCode", "serviceProvider"}
)
"""Members that hold no text of people, passed by for speed."""
_DEEPEST = 12


def narrative_words(resource: JsonObject) -> list[str]:
    """The words of the narrative."""
    return words(_narrative(resource))


def content_words(resource: JsonObject) -> list[str]:
    """The words of the narrative and of all that people wrote."""
    if resource["resourceType"] == "Binary":
        return words(_attached(resource))
    return words(" ".join([*_written(resource, 0), _narrative(resource)]))


def _narrative(resource: JsonObject) -> str:
    text: Json = resource.get("text")
    return without_markup(text.get("div", "")) if text else ""


def _written(element: Mapping[str, Any], depth: int) -> Iterator[str]:
    value: Json
    for member, value in element.items():
        if member in _SKIPPED:
            continue
        if type(value) is str:
            if member in _WRITTEN:
                yield value
            elif member == "data":
                yield _attached(element)
        elif isinstance(value, dict | list):
            for item in cast(list[Json], value) if isinstance(value, list) else [cast(Json, value)]:
                if isinstance(item, dict) and depth < _DEEPEST:
                    below = cast(JsonObject, item)
                    if member in _ANNOTATED and "text" in below:
                        yield below["text"]
                    yield from _written(below, depth + 1)
                elif isinstance(item, str) and member in _WRITTEN:
                    yield item


def _attached(attachment: Mapping[str, Any]) -> str:
    """The text of an Attachment or a Binary whose data is text; else ''."""
    kind = str(attachment.get("contentType", "")).partition(";")[0].strip().lower()
    data = attachment.get("data")
    if type(data) is not str or kind not in _PLAIN | _MARKED_UP:
        return ""
    try:
        text = b64decode(data).decode(errors="replace")
    except NotBase64:
        return ""
    return without_markup(text) if kind in _MARKED_UP else text
