"""A note on its way from draft to final: submitted by its author, returned or co-signed by who supervises them (domain.md 1.4).

Each act locks the note, holds to the order of answers, and does all that follows in one transaction.
"""
import base64
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from recovery_api.domain import notes
from recovery_api.domain.codes import ref
from recovery_api.fhir.errors import Conflict, Forbidden, NotFound, Rule, Unprocessable
from recovery_api.fhir.instants import HOUR, instant
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.labels import mask_of
from recovery_api.fhir.paths import at
from recovery_api.interactions.audited import keep
from recovery_api.interactions.care.notes import reviews_of
from recovery_api.interactions.care.staffing import supervisor
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.interactions.make import change, make
from recovery_api.interactions.preconditions import require_match
from recovery_api.interactions.present import copied
from recovery_api.policy.audit import Saved
from recovery_api.policy.facets import client_of
from recovery_api.store.records import Record
from recovery_api.store.staff import holders_of
from recovery_api.store.writer import Writer

TYPE = "DocumentReference"

AUTHOR = Rule("note-author", Forbidden, "A note is submitted by its author.", "forbidden")
SUPERVISED = Rule("note-supervisor", Unprocessable, "Nobody supervises the author now who could read the note over.")
SUPERVISOR = Rule("note-supervisor", Forbidden, "Who supervises the note's author now reads it over and signs it.", "forbidden")
OWN = Rule("note-own", Unprocessable, "Nobody co-signs what they wrote: the author's supervisor does.")
CURRENT = Rule("note-replaces", Conflict, "What this note replaces is not current any more.")


@dataclass(frozen=True, slots=True)
class Act:
    """One of these acts, on a note that is locked."""

    server: Server
    request: FhirRequest
    writer: Writer
    record: Record
    document: JsonObject
    reviews: list[JsonObject]
    written: list[Saved] = field(default_factory=list[Saved])

    @property
    def now(self) -> str:
        return instant(self.writer.stamp)

    @property
    def holder(self) -> str:
        return self.request.actor.holder

    def move(self, to: str) -> None:
        """Raise Conflict where the note can't become that."""
        notes.check_move(notes.state_of(self.document, self.reviews), to)

    async def change(self, type: str, id: str, revise: Callable[[JsonObject], JsonObject], *, raised: int = 0) -> JsonObject:
        said = await change(self.server, self.writer, type, id, revise, raised=raised)
        self.written.append(Saved(type, id, int(said["meta"]["versionId"]), self.record.client))
        return said

    async def make(self, resource: JsonObject) -> JsonObject:
        said = await make(self.server, self.writer, resource)
        self.written.append(Saved(said["resourceType"], said["id"], 1, self.record.client))
        return said

    async def close(self, outcome: str, note: JsonObject | None = None) -> JsonObject | None:
        """The review that is open, done; None where there is none."""
        task = next((each for each in self.reviews if each["status"] in notes.OPEN), None)
        revise = partial(notes.reviewed, outcome=outcome, now=self.now, note=note)
        return await self.change("Task", task["id"], revise) if task else None

    async def seen(self, resource: JsonObject) -> JsonObject | None:
        """The caller's copy of what was written; None where they do not see it."""
        record = await self.writer.read(resource["resourceType"], resource["id"])
        return copied(self.server, self.request.actor, record).seen if record else None


@asynccontextmanager
async def _acting(server: Server, request: FhirRequest) -> AsyncGenerator[Act]:
    """The act, whose audit record is kept with it. Raises NotFound, and Forbidden where the scopes do not open the note."""
    sight = server.grants.rows(request.actor, server.clock())
    async with server.store.writer(sight, creator=request.actor.holder) as writer:
        record = await writer.lock(TYPE, request.id or "")
        if record is None or record.body is None:
            raise NotFound
        document = load(record.body)
        if not server.grants.admits(request.actor, "u", document, client_of(document, server.matrix)):
            raise Forbidden("The token's scopes do not open this resource.")
        act = Act(server, request, writer, record, document, await reviews_of(server, writer, record.id))
        yield act
        records = await keep(server, writer, [(request, FhirResult(200, shown=act.written))])
    await server.audit.link(records)


async def submit(server: Server, request: FhirRequest, given: Callable[[], object]) -> tuple[JsonObject | None, str]:
    """The Task that the author's supervisor reads the note over, and its text.

    `given` reads the parameters. Raises NotFound, Forbidden for who did not write it, PreconditionRequired, PreconditionFailed,
    Unprocessable where nobody supervises the author, and Conflict where it is submitted or signed already.
    """
    async with _acting(server, request) as act:
        if act.holder not in notes.authors_of(act.document):
            raise AUTHOR.broken(at=TYPE)
        require_match(request, act.record)
        given()
        reader = await supervisor(server, act.writer, act.holder)
        if reader is None:
            raise SUPERVISED.broken(at="DocumentReference.author")
        act.move("submitted")
        due = instant(act.writer.stamp + server.note_review_hours * HOUR)
        task = await act.make(notes.review(act.document, act.holder, reader, act.now, due))
        return await act.seen(task), _readable(act.document, await _texts(act))


async def give_back(server: Server, request: FhirRequest, given: Callable[[], str]) -> JsonObject | None:
    """The Task of the review, done: the note is its author's again. `given` reads the comment.

    Raises as `submit` does, Forbidden for who does not supervise the author, and Conflict where the note is not under review.
    """
    async with _acting(server, request) as act:
        await _check_supervises(act)
        require_match(request, act.record)
        comment = given()
        act.move("returned")
        note = {"authorReference": ref(act.holder), "time": act.now, "text": comment}
        task = await act.close("returned", note)
        return await act.seen(task) if task else None


async def cosign(
    server: Server, request: FhirRequest, given: Callable[[], tuple[str, Sequence[JsonObject]]]
) -> tuple[JsonObject | None, Record | None]:
    """The note as it was signed, and its record. `given` reads the attestation, and the labels that the note is narrowed to.

    What it replaces is superseded. Raises as `submit` does, Forbidden for who does not supervise the author, and Unprocessable for
    an author who would sign their own note.
    """
    async with _acting(server, request) as act:
        own = act.holder in notes.authors_of(act.document)
        if not own:
            await _check_supervises(act)
        require_match(request, act.record)
        attestation, labels = given()
        if own:
            raise OWN.broken(at="DocumentReference.author")
        notes.check_labels(labels)
        act.move("final")
        raised = 0 if labels else mask_of(at(act.document, "securityLabel.coding"))
        revise = partial(notes.signed, signer=act.holder, labels=labels, texts=await _texts(act))
        signed = await act.change(TYPE, act.record.id, revise, raised=raised)
        for replaced in notes.replaced_by(act.document):
            await act.change(TYPE, replaced.partition("/")[2], _superseded)
        task = await act.close("co-signed")
        organization = request.actor.organization
        provenance = notes.cosignature(
            signed, act.holder, organization, act.now, attestation, task["authoredOn"] if task else None, narrowed=bool(labels)
        )
        await act.make(provenance)
        return await act.seen(signed), await act.writer.read(TYPE, act.record.id)


def _superseded(note: JsonObject) -> JsonObject:
    if note["status"] != "current":
        raise CURRENT.broken(at="DocumentReference.relatesTo")
    return note | {"status": "superseded"}


async def _check_supervises(act: Act) -> None:
    """Raise Forbidden for who does not supervise an author now, themselves or for another who delegated it."""
    for author in notes.authors_of(act.document):
        if act.holder in await holders_of(act.writer, "supervises-practitioner", author, act.server.clock()):
            return
    raise SUPERVISOR.broken(at=TYPE)


async def _texts(act: Act) -> dict[str, bytes]:
    """What the note's attachments hold that stand here, by their url."""
    found: dict[str, bytes] = {}
    system = act.writer.seeing(act.server.grants.system)
    for url in at(act.document, "content.attachment.url"):
        type, _, id = str(url).removeprefix(f"{act.server.base}/").partition("/")
        record = await system.read("Binary", id) if type == "Binary" else None
        if record and record.body:
            found[url] = base64.b64decode(load(record.body).get("data", ""))
    return found


def _readable(document: JsonObject, texts: dict[str, bytes]) -> str:
    """The words of a note: of its attachments that are text, here or in a Binary."""
    plain = [each["attachment"] for each in document["content"] if each["attachment"].get("contentType", "").startswith("text/")]
    held = [base64.b64decode(each["data"]) if "data" in each else texts.get(each.get("url", ""), b"") for each in plain]
    return "\n".join(each.decode(errors="replace") for each in held)
