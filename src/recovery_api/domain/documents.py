"""A session as a document: the Composition that names what belongs to it, and the words of its sections (domain.md 6).

The Composition that is kept refers to what was recorded and says nothing of it; its sections get their words when somebody reads it, from
what they may read then. The words are those of the session's note (`domain/session_notes.py`).
"""
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from recovery_api.domain.codes import LOINC, SCT, THO, concept, local, ref
from recovery_api.domain.goals import pace, progress
from recovery_api.domain.pages.page import Block, Kind, from_narrative, from_text
from recovery_api.domain.pages.xhtml import narrative
from recovery_api.domain.session_notes import opening, sections
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, has_coding, references_at

SECTION: Final = "document-section"
CRISIS_PLAN: Final = (SCT, "736253002")
RELEASED_NOTE: Final = frozenset({"final", "amended"})
RELEASED: Final = RELEASED_NOTE | {"corrected"}
TITLES: Final[Mapping[str, str]] = {
    "purpose": "Purpose",
    "chosen": "What the client chose to work on",
    "state": "Observed state",
    "triggers": "Triggers and responses",
    "supports": "Supports used",
    "progress": "Progress at the client's pace",
    "safety": "Safety check",
    "note": "Session note",
    "next": "Plan and next step",
    "notice": "Redisclosure notice",
    "consent-scope": "Scope of consent",
}
"""The sections of a document in their order; the last two are there where something is disclosed."""
AT_READING: Final = frozenset({"notice", "consent-scope"})
NOTHING: Final = "Nothing is told here."


class Recorded(NamedTuple):
    """What was recorded around a session, as its reader has it."""

    session: JsonObject
    observations: Sequence[JsonObject]
    notes: Sequence[JsonObject]
    goals: Sequence[JsonObject]
    plans: Sequence[JsonObject]


def is_told(resource: JsonObject) -> bool:
    """Whether an Observation, or a note, is released: what is a draft stays out of a document."""
    if resource["resourceType"] == "DocumentReference":
        return resource.get("docStatus") in RELEASED_NOTE and "authenticator" in resource and resource["status"] == "current"
    return resource.get("status") in RELEASED


def composed(recorded: Recorded, now: str) -> JsonObject:
    """The Composition of a session, without an id: what belongs into which section. `now` is an instant."""
    session, notes = recorded.session, recorded.notes
    signers = [each["authenticator"] for each in notes]
    authors = [each["individual"] for each in session.get("participant", ()) if "individual" in each] or [
        author for each in notes for author in each.get("author", ())
    ]
    custodian = next((each["custodian"] for each in notes if "custodian" in each), session.get("serviceProvider"))
    return {
        "resourceType": "Composition",
        "language": "en",
        "status": "final" if notes else "preliminary",
        "type": concept((LOINC, "11506-3", "Progress note"), (LOINC, "34904-3", "Mental health Progress note")),
        **({"subject": session["subject"]} if "subject" in session else {}),
        "encounter": ref(f"Encounter/{session['id']}"),
        "date": now,
        "author": _once(authors) or [{"display": "Recovery API"}],
        "title": f"Session of {session.get('period', {}).get('start', now)[:10]}",
        **({"attester": [{"mode": "legal", "party": party} for party in _once(signers)]} if signers else {}),
        **({"custodian": custodian} if custodian else {}),
        **({"event": [{"period": session["period"]}]} if "period" in session else {}),
        "section": [_section(key, _entries(key, recorded)) for key in TITLES if key not in AT_READING],
    }


def told(composition: JsonObject, there: Mapping[str, JsonObject], texts: Mapping[str, str], name: str, zone: ZoneInfo) -> JsonObject:
    """The Composition with words in each of its sections that has none.

    `there` are the resources that the reader has, by reference; `texts` the texts of notes, by their reference; `name` is the client's.
    """

    def worded(section: JsonObject) -> JsonObject:
        inner = {"section": [worded(each) for each in section["section"]]} if "section" in section else {}
        if "text" in section or inner:
            return {**section, **inner}
        found = [there[each] for each in references_at(section, "entry") if each in there]
        blocks = [block for each in found for block in _words(each, texts, name, zone)]
        return {**section, "text": text_of(blocks or [Block(Kind.PARAGRAPH, NOTHING)])}

    return {**composition, "section": [worded(each) for each in composition.get("section", ())]}


def disclosed(composition: JsonObject, notice: str | None, scope: str | None) -> JsonObject:
    """The Composition with the notice, and the scope of the consent, as its last sections."""
    said = {"notice": notice, "consent-scope": scope}
    more = [{**_section(key, ()), "text": text_of(from_text(text))} for key, text in said.items() if text]
    for each in more:
        each.pop("emptyReason")
    return {**composition, "section": [*composition.get("section", ()), *more]} if more else composition


def blocks_of(composition: JsonObject) -> list[Block]:
    """A Composition's sections as blocks of a page."""
    found: list[Block] = []
    for section in composition.get("section", ()):
        if title := section.get("title"):
            found.append(Block(Kind.HEADING, title))
        found += from_narrative(section.get("text", {}).get("div", ""))
        found += blocks_of(section)
    return found


def text_of(blocks: Iterable[Block]) -> JsonObject:
    """A generated narrative."""
    return {"status": "generated", "div": narrative(blocks)}


def generation(document: str, sources: Iterable[str], custodian: JsonObject | None, now: str) -> JsonObject:
    """The Provenance of a document: that this server put it together, and from which versions. References, an instant."""
    assembler = {"type": concept((THO + "provenance-participant-type", "assembler", "Assembler")), "who": {"display": "Recovery API"}}
    entity = [{"role": "source", "what": ref(source)} for source in sources]
    return {
        "resourceType": "Provenance",
        "target": [ref(document)],
        "recorded": now,
        "activity": concept((THO + "v3-DataOperation", "CREATE", "create")),
        "agent": [assembler | ({"onBehalfOf": custodian} if custodian else {})],
        **({"entity": entity} if entity else {}),
    }


def _section(key: str, entries: Iterable[JsonObject]) -> JsonObject:
    references = [ref(f"{each['resourceType']}/{each['id']}") for each in entries]
    empty = {"emptyReason": concept((THO + "list-empty-reason", "unavailable", "Unavailable"))}
    head = {"title": TITLES[key], "code": concept(local(SECTION, key, TITLES[key]))}
    return head | ({"entry": references} if references else empty)


def _entries(key: str, recorded: Recorded) -> Sequence[JsonObject]:
    crisis = [each for each in recorded.plans if has_coding(each, "category", *CRISIS_PLAN)]
    observed = {section.key: section.observations for section in sections(recorded.observations, "")}
    others: Mapping[str, Sequence[JsonObject]] = {
        "purpose": [recorded.session],
        "progress": recorded.goals,
        "safety": [*observed["safety"], *crisis],
        "note": recorded.notes,
        "next": [*observed["next"], *(each for each in recorded.plans if each not in crisis)],
    }
    return others.get(key, observed.get(key, ()))


def _words(resource: JsonObject, texts: Mapping[str, str], name: str, zone: ZoneInfo) -> list[Block]:
    match resource["resourceType"]:
        case "Encounter":
            return [Block(Kind.PARAGRAPH, opening(resource, name, zone))]
        case "Observation":
            return [Block(Kind.ITEM, line) for section in sections([resource], name) for line in section.lines]
        case "Goal":
            said, speed = progress(resource).words, pace(resource)
            told = f"{resource['description'].get('text', 'A goal')}: {said}"
            return [Block(Kind.ITEM, f"{told} Pace: {speed}." if speed else told)]
        case "CarePlan":
            return [Block(Kind.ITEM, str(line)) for line in _plan(resource)]
        case "DocumentReference":
            return from_text(texts.get(f"DocumentReference/{resource['id']}", ""))
        case _:
            return [Block(Kind.ITEM, str(each)) for each in at(resource, "code.text")]


def _plan(plan: JsonObject) -> Iterable[object]:
    said = [*at(plan, "title")[:1], *at(plan, "description")[:1]] or ["A plan"]
    return [": ".join(map(str, said)), *at(plan, "activity.detail.description")]


def _once(references: Iterable[JsonObject]) -> list[JsonObject]:
    return list({str(each.get("reference", each)): each for each in references}.values())
