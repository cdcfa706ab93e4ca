"""What goes with a note: nobody writes what is being read over or was signed, and what was signed is replaced (domain.md 1.4)."""
import base64
from functools import partial
from typing import Final

from recovery_api.domain.codes import THO
from recovery_api.domain.notes import OPEN, REVIEW, authors_of, is_note, replaced_by, state_of, with_texts
from recovery_api.fhir.errors import Conflict, Rule, Unprocessable
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.fhir.search.expression import both
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change, found, seen
from recovery_api.policy.relations import released
from recovery_api.policy.writes import rule
from recovery_api.store.reader import Reader
from recovery_api.store.search import SearchQuery

SIGNED: Final = frozenset({"final", "amended"})
SURVEY: Final = (f"{THO}observation-category", "survey")
SESSION_SIGNED: Final = Rule(
    "session-signed", Conflict, "The session's note was co-signed: what was observed is added and corrected by the client's case manager."
)
BY_HAND: Final = frozenset({"lastModified", "meta", "note", "status", "text"})
"""What everybody who may write a review may change in it."""

IN_REVIEW = Rule("note-in-review", Conflict, "The note is being read over: it can be changed when it has been returned.")
REPLACES = Rule(
    "note-replaces",
    Unprocessable,
    "Only a signed note of the same client that is current is replaced; a draft is changed itself.",
)
ENDS = Rule("note-review", Conflict, "A review ends when its note is co-signed ($cosign) or returned ($return-note).")
FREE = Rule(
    "note-review",
    Unprocessable,
    "Of a review, its state and its notes are changed by hand, and its owner by a case manager.",
)
ASKED = Rule("note-review", Unprocessable, "A review is asked for by submitting the note ($submit).")


async def notes_of(server: Server, reader: Reader, session: str) -> list[JsonObject]:
    """The notes about a session ("Encounter/id") that are current."""
    documents = await found(server, reader, "DocumentReference", ("encounter", session), ("status", "current"))
    return [each for each in documents if is_note(each) and each["docStatus"] != "entered-in-error"]


async def reviews_of(server: Server, reader: Reader, id: str) -> list[JsonObject]:
    """All reviews of a note, by its id."""
    return await found(server, reader, "Task", ("code", "|".join(REVIEW)), ("focus", f"DocumentReference/{id}"))


async def not_while_read(written: Written) -> None:
    """Raise Conflict where a note changes, or goes, while its supervisor reads it over."""
    if written.before is not None and is_note(written.before):
        await _check_unread(written, written.before)


async def session_is_unsigned(written: Written) -> None:
    """Raise Conflict where a companion adds to, changes, or deletes what was observed in a session whose note was co-signed.

    A survey is no part of what was observed in the session: it is added at any time.
    """
    added_survey = written.before is None and has_coding(written.after, "category", *SURVEY)
    if written.actor.role != "companion" or added_survey:
        return
    sessions = {each for version in (written.before, written.after) if version for each in references_at(version, "encounter")}
    for session in sessions - {"/".join(key) for key in written.beside}:
        about = ("encounter", session)
        where = both(condition("DocumentReference", [about], written.server.search), released)
        if not await written.writer.count(SearchQuery(("DocumentReference",), where)):
            continue  # most sessions have no signed note: to count costs a third of what it costs to read
        documents = await seen(written.server, written.writer, "DocumentReference", about)
        if any(is_note(each) and each["docStatus"] in SIGNED and "authenticator" in each for each in documents):
            raise SESSION_SIGNED.broken(at="Observation.encounter")


async def text_of_own_draft(written: Written) -> None:
    """Raise Forbidden where the text of a note changes that is signed, or another's; Conflict while it is read over."""
    system = written.writer.seeing(written.server.grants.system)
    contexts = {who for version in (written.before, written.after) if version for who in references_at(version, "securityContext")}
    for type, _, id in (each.partition("/") for each in sorted(contexts)):
        record = await system.read(type, id) if type == "DocumentReference" else None
        document = load(record.body) if record and record.body else None
        if document is None or not is_note(document):
            continue
        if document["docStatus"] != "preliminary" or written.actor.holder not in authors_of(document):
            raise rule("own-draft").broken(at="Binary.securityContext")
        await _check_unread(written, document)


async def _check_unread(written: Written, document: JsonObject) -> None:
    reviews = await reviews_of(written.server, written.writer, document["id"])
    if state_of(document, reviews) == "submitted":
        raise IN_REVIEW.broken(at=written.type)


async def keep_fingerprint(written: Written) -> None:
    """With a new text, the note has its size and hash: a new version, so that nobody signs a text that they did not read."""
    if written.before is None or "data" not in written.after:
        return
    texts = {f"Binary/{written.after['id']}": base64.b64decode(written.after["data"])}
    for type, _, id in (each.partition("/") for each in references_at(written.after, "securityContext")):
        if type == "DocumentReference":
            await change(written.server, written.writer, type, id, partial(with_texts, texts=texts))


async def replaces_what_was_signed(written: Written) -> None:
    """Raise Unprocessable where a document replaces something else than a signed note of the client's that is current."""
    stood = replaced_by(written.before) if written.before else []
    for reference in replaced_by(written.after):
        if reference in stood:
            continue
        record = await written.writer.read(*reference.split("/"))
        old = load(record.body) if record and record.body else None
        theirs = old is not None and list(references_at(old, "subject")) == list(references_at(written.after, "subject"))
        if old is None or not theirs or old["status"] != "current" or old.get("docStatus") not in SIGNED:
            raise REPLACES.broken(at="DocumentReference.relatesTo")


async def reviewed_by_its_operations(written: Written) -> None:
    """Raise Unprocessable where somebody writes a review by hand, Conflict where they end one."""
    before, after = written.before, written.after
    if before is not None and has_coding(before, "code", *REVIEW):
        if before["status"] not in OPEN or after["status"] not in OPEN:
            raise ENDS.broken(at="Task.status")
        free = BY_HAND | ({"owner"} if written.actor.role == "case-manager" else set[str]())
        if {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} - free:
            raise FREE.broken(at="Task")
    elif has_coding(after, "code", *REVIEW):
        raise ASKED.broken(at="Task.code")
