"""Notes (domain.md 1.4): drafted by who was there, read over and co-signed by their supervisor, and never changed after that."""
import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from recovery_api.domain.codes import CANON, THO, Coded, coding, concept, local, ref
from recovery_api.fhir.errors import Conflict, Rule, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.labels import ACT, SENSITIVITIES
from recovery_api.fhir.paths import has_coding, objects_at, references_at

FORM: Final = (f"{CANON}/CodeSystem/document-category", "consent-form")
REVIEW: Final = (f"{CANON}/CodeSystem/task-code", "note-review")
OPEN: Final = ("requested", "received", "accepted", "in-progress", "on-hold")
"""The states of a Task in which the review is still to be done."""
LEGALLY_AUTHENTICATED: Final[Coded] = (THO + "v3-DocumentCompletion", "LA", "legally authenticated")
SIGNATURES: Final = "urn:iso-astm:E1762-95:2013"
AUTHORS, VERIFICATION = (
    coding(SIGNATURES, "1.2.840.10065.1.12.1.1", "Author's Signature"),
    coding(SIGNATURES, "1.2.840.10065.1.12.1.5", "Verification Signature"),
)

MOVE = Rule("note-move", Conflict, "A note that is {} can't be made {}.")
SUPERSEDED = Rule("note-superseded", Unprocessable, "A note is superseded by the one that replaces it, when that is co-signed.")
LABELS = Rule("note-labels", Unprocessable, f"A note is narrowed to sensitivities ({ACT}): {', '.join(SENSITIVITIES)}.")
MOVES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "draft": frozenset({"submitted", "final"}),  # a supervisor may sign what an author who has left did not submit
        "submitted": frozenset({"returned", "final"}),
        "returned": frozenset({"submitted", "final"}),
        "final": frozenset[str](),  # what signed it makes a newer note: one that replaces it
    }
)
"""Where a note may go from each of its states: by $submit, $return-note and $cosign, and by nothing else."""


def is_note(document: JsonObject) -> bool:
    """Whether a DocumentReference is a note, and not a form that somebody signed."""
    return "docStatus" in document and not has_coding(document, "category", *FORM)


def authors_of(document: JsonObject) -> list[str]:
    """Who wrote it, "Type/id"."""
    return list(references_at(document, "author"))


def state_of(document: JsonObject, reviews: Iterable[JsonObject]) -> str:
    """The state of a note whose reviews are these Tasks."""
    if document["status"] != "current":
        return document["status"]
    if document.get("docStatus") != "preliminary":
        return document.get("docStatus", "without docStatus")
    last = max(reviews, key=lambda review: (review["authoredOn"], review["id"]), default=None)
    return "draft" if last is None else "submitted" if last["status"] in OPEN else "returned"


def check_move(state: str, to: str) -> None:
    """Raise Conflict where a note in this state can't become that."""
    if to not in MOVES.get(state, ()):
        raise MOVE.broken(state, to, at="DocumentReference.docStatus")


def check_document(before: JsonObject | None, after: JsonObject) -> None:
    """Raise Unprocessable where somebody ends a document as the server alone does."""
    if after["status"] == "superseded" and (before is None or before["status"] != "superseded"):
        raise SUPERSEDED.broken(at="DocumentReference.status")


def replaced_by(document: JsonObject) -> list[str]:
    """What the document replaces ("DocumentReference/id")."""
    return [who for each in document.get("relatesTo", ()) if each.get("code") == "replaces" for who in references_at(each, "target")]


def review(document: JsonObject, author: str, supervisor: str, asked: str, due: str) -> JsonObject:
    """The Task that a supervisor reads a note over, from the instant `asked` until `due`."""
    sessions = objects_at(document, "context.encounter")
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "code": concept(local("task-code", "note-review", "Review a note")),
        "focus": ref(f"DocumentReference/{document['id']}"),
        "for": document["subject"],
        **({"encounter": sessions[0]} if sessions else {}),
        "authoredOn": asked,
        "lastModified": asked,
        "requester": ref(author),
        "owner": ref(supervisor),
        "restriction": {"period": {"start": asked, "end": due}},
    }


def reviewed(task: JsonObject, outcome: str, now: str, note: JsonObject | None = None) -> JsonObject:
    """The review, done at an instant with `returned` or `co-signed`, and what was said about it."""
    said = {"status": "completed", "businessStatus": concept(local("note-review-status", outcome)), "lastModified": now}
    notes = {"note": [*task.get("note", ()), note]} if note else {}
    return task | said | {"executionPeriod": {"start": task["authoredOn"], "end": now}} | notes


def signed(document: JsonObject, signer: str, labels: Sequence[JsonObject], texts: Mapping[str, bytes]) -> JsonObject:
    """The note as its co-signer leaves it: final, with the labels that they give it (none: all that its client's episodes ask for)."""
    rest = {name: value for name, value in with_texts(document, texts).items() if name != "securityLabel"}
    given = {"securityLabel": [{"coding": [each]} for each in labels]} if labels else {}
    return rest | {"docStatus": "final", "authenticator": ref(signer)} | given


def with_texts(document: JsonObject, texts: Mapping[str, bytes]) -> JsonObject:
    """The document whose attachments carry size and hash of the texts, by their url."""
    content: list[JsonObject] = []
    for each in document["content"]:
        data = texts.get(each["attachment"].get("url", ""))
        content.append(each if data is None else each | {"attachment": each["attachment"] | fingerprint(data)})
    return document | {"content": content}


def fingerprint(data: bytes) -> JsonObject:
    """Size and hash as an Attachment tells them (SHA-1, by R4)."""
    return {"size": len(data), "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()}


def check_labels(labels: Iterable[JsonObject]) -> None:
    """Raise Unprocessable where a label that a note is narrowed to names no sensitivity."""
    wrong = [each for each in labels if each.get("system") != ACT or each.get("code") not in SENSITIVITIES]
    if wrong:
        raise LABELS.broken(at="Parameters.parameter")


def cosignature(
    note: JsonObject, signer: str, organization: str | None, now: str, attestation: str, submitted: str | None, *, narrowed: bool
) -> JsonObject:
    """The Provenance of a co-signed version: who wrote it (and submitted it, at an instant), and who verified it, in whose words."""

    def agent(code: str, who: str, behalf: str | None = None) -> JsonObject:
        said = {"type": concept((THO + "provenance-participant-type", code)), "who": ref(who)}
        return said | ({"onBehalfOf": ref(behalf)} if behalf else {})

    authors = authors_of(note)
    verified = {"type": [VERIFICATION], "when": now, "who": ref(signer), "sigFormat": "text/plain"}
    signatures = [{"type": [AUTHORS], "when": submitted, "who": ref(who)} for who in authors] if submitted else []
    reason = {"reason": [concept(local("provenance-reason", "label-narrowed"))]} if narrowed else {}
    return {
        "resourceType": "Provenance",
        "target": [ref(f"DocumentReference/{note['id']}/_history/{note['meta']['versionId']}")],
        "recorded": now,
        **reason,
        "activity": concept(LEGALLY_AUTHENTICATED),
        "agent": [*(agent("author", who) for who in authors), agent("verifier", signer, organization)],
        "signature": [*signatures, verified | {"data": base64.b64encode(attestation.encode()).decode()}],
    }
