"""What a Binary or a document is written as, where a caller would rather have that than FHIR JSON (docs/decisions/0040).

A Binary is served as it is, in its own media type. One that is text is also written as a page: as XHTML, HTML or PDF, with what the caller
may know of the note that it is the text of.
"""
import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from recovery_api.domain.pages import pdf, plain, xhtml
from recovery_api.domain.pages.page import Page, from_markdown, from_text
from recovery_api.fhir.errors import NotAcceptable
from recovery_api.fhir.instants import moment
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.media_types import FHIR_JSON, essence, preferred
from recovery_api.fhir.names import called
from recovery_api.fhir.paths import at, objects_at, references_at
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.interactions.present import copied
from recovery_api.policy.notice import is_text
from recovery_api.store.reader import Reader

PLAIN, MARKDOWN, XHTML, HTML, PDF = "text/plain", "text/markdown", "application/xhtml+xml", "text/html", "application/pdf"
WRITERS: Final[Mapping[str, Callable[[Page], bytes]]] = MappingProxyType(
    {XHTML: xhtml.write, HTML: xhtml.write, PDF: pdf.write, PLAIN: plain.write}
)
"""How a page is written, by media type."""
SENT_AS: Final[Mapping[str, str]] = MappingProxyType(
    {XHTML: f"{XHTML}; charset=utf-8", HTML: f"{HTML}; charset=utf-8", PDF: PDF, PLAIN: f"{PLAIN}; charset=utf-8"}
)
MOST_TEXT: Final = 1_000_000
"""Characters of base64 up to which a text is written as a page."""
TOLD: Final[Mapping[str, str]] = MappingProxyType(
    {"Client": "subject", "Author": "author", "Co-signed by": "authenticator", "Organization": "custodian"}
)
"""What a page tells of a note beside its date, and the element that refers to it."""


def chosen(request: FhirRequest, offered: Iterable[str]) -> str:
    """The media type that the caller would rather have. Raises NotAcceptable where they take none of those that are offered."""
    types = (FHIR_JSON, *offered)
    found = preferred(request.accept, types) if request.accept else FHIR_JSON
    if found is None:
        raise NotAcceptable(f"This is served as {', '.join(dict.fromkeys(types))}.")
    return found


def offered_of(binary: JsonObject) -> list[str]:
    """The media types of a Binary: its own, and of a text those that it can be written as."""
    own = essence(binary.get("contentType", ""))
    written = is_text(own) and len(binary.get("data", "")) <= MOST_TEXT
    return [own, *((XHTML, HTML, PDF) if written else ())]


async def of_binary(server: Server, request: FhirRequest, reader: Reader, result: FhirResult, type: str) -> FhirResult:
    """The result of a read of a Binary as one of the media types that are offered of it, FHIR JSON not among them."""
    binary = load(result.body or b"")
    data = base64.b64decode(binary.get("data", ""))
    if type == essence(binary["contentType"]):
        return result._replace(body=data, media_type=binary["contentType"], is_content=True)
    text = data.decode(errors="replace")
    note = await _note(server, request, reader, binary)
    blocks = from_markdown(text) if essence(binary["contentType"]) == MARKDOWN else from_text(text)
    return await written(result, type, Page(title_of(note), await facts_of(server, reader, note), blocks, language_of(note)))


async def written(result: FhirResult, type: str, page: Page) -> FhirResult:
    """A result whose body is the page as this media type."""
    return result._replace(body=await asyncio.to_thread(WRITERS[type], page), media_type=SENT_AS[type], is_content=True)


def title_of(document: JsonObject) -> str:
    """What a note or Composition is called: its title, description or type."""
    said = (*at(document, "title"), *at(document, "description"), *at(document, "type.text"), *at(document, "type.coding.display"))
    return str(next(iter(said), "Document"))


def language_of(document: JsonObject) -> str:
    """The language of a note or Composition, as BCP 47 writes it."""
    return str(next(iter([*at(document, "content.attachment.language"), *at(document, "language")]), "en"))


async def facts_of(server: Server, reader: Reader, document: JsonObject) -> list[tuple[str, str]]:
    """Who and when, as far as the reader sees them."""
    found = [("Date", _day(server, date)) for date in at(document, "date")]
    for name, element in TOLD.items():
        people = [said for one in objects_at(document, element) if (said := await _spoken(reader, one))]
        if people:
            found.append((name, ", ".join(people)))
    return found


async def _note(server: Server, request: FhirRequest, reader: Reader, binary: JsonObject) -> JsonObject:
    """The caller's copy of the document that a Binary belongs to; empty where they see none."""
    for type, _, id in (each.partition("/") for each in references_at(binary, "securityContext")):
        record = await reader.read(type, id)
        if record and record.body:
            return copied(server, request.actor, record).seen
    return {}


async def _spoken(reader: Reader, reference: JsonObject) -> str:
    for type, _, id in (each.partition("/") for each in references_at({"at": reference}, "at")):
        record = await reader.read(type, id)
        if record and record.body and (name := called(load(record.body))):
            return name
    return str(reference.get("display", ""))


def _day(server: Server, date: object) -> str:
    """A date of a resource in the agency's zone, as people write it."""
    text = str(date)
    return moment(implicit_range(text, server.zone).low, server.zone).strftime("%Y-%m-%d %H:%M %Z") if "T" in text else text
