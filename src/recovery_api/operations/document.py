"""Composition/{id}/$document and Encounter/{id}/$document: a document, as far as the caller may read what is in it (domain.md 6).

See https://hl7.org/fhir/R4/composition-operation-document.html and docs/decisions/0040.
"""
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from recovery_api.domain import documents
from recovery_api.domain.documents import Recorded
from recovery_api.domain.pages.page import Page
from recovery_api.fhir.bundle import bundle, collection_entry
from recovery_api.fhir.errors import BadRequest, Issue, NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.labels import codings
from recovery_api.fhir.media_types import FHIR_JSON
from recovery_api.fhir.paths import at, objects_at, references_at
from recovery_api.fhir.references import references
from recovery_api.fhir.search.expression import Own, both
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions import renditions
from recovery_api.interactions.audited import keep
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.disclosure import disclosure
from recovery_api.interactions.make import make
from recovery_api.interactions.present import copied, present
from recovery_api.interactions.shown import shown
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import Saved
from recovery_api.policy.decide import allowed_types, decide
from recovery_api.policy.notice import is_text, scope
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery
from recovery_api.store.writer import Writer

COMPOSITION, STATEMENTS = "Composition", "Provenance"
OFFERED = (renditions.XHTML, renditions.HTML, renditions.PDF, renditions.PLAIN)
MOST = 500
"""Resources in a document."""


@dataclass(slots=True)
class _Gathering:
    """What the caller may read of what a document refers to, each once, in the order in which it was found."""

    operating: Operating
    reader: Reader
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    copies: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])

    async def take(self, record: Record) -> JsonObject:
        """The caller's copy of a record, which is in the document from now on."""
        if record.reference not in self.copies:
            if len(self.copies) >= MOST:
                raise _too_much()
            self.records[record.reference] = record
            body = await present(self.operating.server, self.operating.request.actor, self.reader, record)
            self.copies[record.reference] = load(body)
        return self.copies[record.reference]

    async def read(self, reference: str) -> JsonObject | None:
        """The caller's copy of what is at "Type/id"; None where nothing is there for them."""
        if reference in self.copies:
            return self.copies[reference]
        type, _, id = reference.partition("/")
        record = await self.reader.read(type, id)
        return None if record is None or record.body is None else await self.take(record)

    async def of_client(self, client: str, type: str, *pairs: tuple[str, str]) -> list[JsonObject]:
        """The caller's copies of what they may read of a type and client; nothing of a type that they may never read."""
        server, actor = self.operating.server, self.operating.request.actor
        if not client or type not in allowed_types(server.matrix, actor, "r"):
            return []
        query = SearchQuery((type,), both(Own("client", "=", client), condition(type, pairs, server.search)), count=MOST)
        return [copied(server, actor, record).seen for record in await self._all(query) if record.body]

    async def _all(self, query: SearchQuery) -> Sequence[Record]:
        page = await self.reader.search(query)
        if page.next is not None:
            raise _too_much()
        return page.records

    async def close(self, composition: JsonObject) -> None:
        """Take all that the Composition refers to, the statements about that, and all that any of it refers to in turn."""
        await self._follow([*self.copies.values(), composition])
        named = [each for each in _named(composition) if each in self.copies]
        if named and STATEMENTS in allowed_types(self.operating.server.matrix, self.operating.request.actor, "r"):
            where = condition(STATEMENTS, [("target", ",".join(named))], self.operating.server.search)
            found = await self._all(SearchQuery((STATEMENTS,), where, count=MOST))
            await self._follow([await self.take(record) for record in found])

    def text(self, note: str) -> str:
        """The text of a note ("DocumentReference/id") as it is stored: the notice has a section of its own."""
        for attachment in objects_at(self.copies[note], "content.attachment"):
            record = self.records.get(str(attachment.get("url", "")))
            data = load(record.body).get("data", "") if record and record.body else attachment.get("data", "")
            if is_text(attachment.get("contentType", "")):
                return base64.b64decode(data).decode(errors="replace")
        return ""

    async def _follow(self, waiting: list[JsonObject]) -> None:
        while waiting:
            for reference in _named(waiting.pop(0)):
                found = None if reference in self.copies else await self.read(reference)
                waiting += [] if found is None else [found]


async def document(operating: Operating) -> FhirResult:
    """The document as a Bundle, or written as a page. Raises NotFound, and Forbidden for who may not keep what they ask to keep."""
    server, request = operating.server, operating.request
    type = renditions.chosen(request, OFFERED)
    keeps = operating.given().one("persist") is True
    sight = server.grants.sight(request.actor, "r", server.clock())
    if not keeps:
        async with server.store.reader(sight) as reader:
            return await _document(operating, reader, None, type)
    decide(server.matrix, request.actor, COMPOSITION, "c")
    async with server.store.writer(server.grants.rows(request.actor, server.clock()), creator=request.actor.holder) as writer:
        result = await _document(operating, writer.seeing(sight), writer, type)
        records = await keep(server, writer, [(request, result)])
    await server.audit.link(records)
    return result._replace(recorded=True)


async def _document(operating: Operating, reader: Reader, writer: Writer | None, type: str) -> FhirResult:
    server, request = operating.server, operating.request
    root = await reader.read(request.type or "", request.id or "")
    if root is None or root.body is None:
        raise NotFound
    gathering = _Gathering(operating, reader)
    now = instant(server.clock())
    composition = copied(server, request.actor, root).seen if root.type == COMPOSITION else await _composed(gathering, root, now)
    await gathering.close(composition)
    kept = list(({root.reference: root} | gathering.records).values())
    labels = 0
    for record in kept:
        labels |= record.labels
    saved: list[JsonObject] = []
    if writer is not None and root.type != COMPOSITION:
        composition = await make(server, writer, composition, raised=labels)
        saved.append(composition)
    stands = "id" in composition
    place = f"{COMPOSITION}/{composition['id']}/_history/{composition['meta']['versionId']}" if stands else f"urn:uuid:{server.new_id()}"
    sources = [f"{each.reference}/_history/{each.version}" for each in kept if each.client or each.type == "Binary"]
    statement = documents.generation(place, sources, composition.get("custodian"), now)
    if writer is not None:
        statement = await make(server, writer, statement)
        saved.append(statement)
    consents, noticed = disclosure(request.actor, kept)
    told = _told(gathering, composition, root.client)
    basis = [each.removeprefix("Consent/") for each in consents]
    told = documents.disclosed(told, server.notice.wording if noticed else None, scope(basis) if noticed or basis else None)
    result = FhirResult(
        200,
        shown=[*await shown(reader, kept), *(Saved(each["resourceType"], each["id"], 1, root.client) for each in saved)],
        consents=consents,
        noticed=noticed,
        location=place if writer is not None else None,
    )
    if type != FHIR_JSON:
        signed = told | {"authenticator": [party for each in told.get("attester", ()) if (party := each.get("party"))]}
        facts = await renditions.facts_of(server, reader, signed)
        page = Page(renditions.title_of(told), facts, documents.blocks_of(told), renditions.language_of(told))
        return await renditions.written(result, type, page)
    first = f"{server.base}/{COMPOSITION}/{composition['id']}" if stands else place
    rest = {name: each for name, each in gathering.copies.items() if name != f"{COMPOSITION}/{request.id}"}
    entries = [
        collection_entry(first, dump(told if stands else absolute(told, server.base))),
        *(collection_entry(f"{server.base}/{name}", dump(each)) for name, each in rest.items()),
        _stated(operating, statement),
    ]
    identified = f"urn:uuid:{server.new_id()}"
    body = bundle("document", entries, id=server.new_id(), updated=now, security=codings(labels), identified=identified)
    return result._replace(body=body)


def _too_much() -> BadRequest:
    return BadRequest(Issue("too-costly", f"The document would have more than {MOST} resources."))


def _stated(operating: Operating, statement: JsonObject) -> bytes:
    server = operating.server
    if "id" in statement:
        return collection_entry(f"{server.base}/{STATEMENTS}/{statement['id']}", dump(statement))
    return collection_entry(f"urn:uuid:{server.new_id()}", dump(absolute(statement, server.base)))


async def _composed(gathering: _Gathering, root: Record, now: str) -> JsonObject:
    """The Composition of a session, of what the caller may read and what is released."""
    session, here = await gathering.take(root), ("encounter", root.reference)
    observations = await gathering.of_client(root.client, "Observation", here)
    notes = await gathering.of_client(root.client, "DocumentReference", here)
    goals = await gathering.of_client(root.client, "Goal", ("lifecycle-status", "accepted,active,on-hold"))
    plans = await gathering.of_client(root.client, "CarePlan", ("status", "active"))
    observations, notes = ([each for each in some if documents.is_told(each)] for some in (observations, notes))
    return documents.composed(Recorded(session, observations, notes, goals, plans), now)


def _told(gathering: _Gathering, composition: JsonObject, client: str) -> JsonObject:
    texts = {each: gathering.text(each) for each in gathering.copies if each.startswith("DocumentReference/")}
    given = at(gathering.copies.get(f"Patient/{client}", {}), "name.given")
    name = str(next(iter(given), "The client"))
    return documents.told(composition, gathering.copies, texts, name, gathering.operating.server.zone)


def _named(resource: JsonObject) -> list[str]:
    """What a resource refers to, "Type/id", and where the content of its attachments is."""
    found = [each for _, holder in references(resource) for each in references_at({"at": holder}, "at")]
    urls = [str(url) for url in at(resource, "content.attachment.url")] if resource["resourceType"] == "DocumentReference" else []
    return list(dict.fromkeys([*found, *(url for url in urls if url.startswith("Binary/"))]))


def absolute(resource: JsonObject, base: str) -> JsonObject:
    """A resource whose references to this server name it: in a Bundle, an entry without an address of its own needs that."""
    made = load(dump(resource))
    for _, holder in references(made):
        if next(references_at({"at": holder}, "at"), None):
            holder["reference"] = f"{base}/{holder['reference']}"
    return made
