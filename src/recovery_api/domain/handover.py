"""A handover: somebody else takes over as a client's companion or case manager (domain.md 7)."""
from collections.abc import Sequence
from html import escape

from recovery_api.domain.codes import LOINC, concept, local, ref
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at

XHTML = "http://www.w3.org/1999/xhtml"


def is_from(participant: JsonObject, who: str, kind: tuple[str, str]) -> bool:
    """Whether a participant of a care team is the person, in a role of this code."""
    return who in references_at(participant, "member") and has_coding(participant, "role", *kind)


def handed_over(team: JsonObject, places: Sequence[int], to: str, period: JsonObject) -> JsonObject:
    """The care team in which the participants at these places end as `to` begins, in their role."""
    before: list[JsonObject] = team["participant"]
    ended = [
        {**each, "period": {**each.get("period", {}), "end": period["start"]}} if place in places else each
        for place, each in enumerate(before)
    ]
    kept = {name: value for name, value in before[places[0]].items() if name in {"role", "onBehalfOf"}}
    return {**team, "participant": [*ended, {**kept, "member": ref(to), "period": period}]}


def summary(client: str, author: str, organization: str, parts: dict[str, list[str]], note: str | None, moment: str) -> JsonObject:
    """The draft of a handover's document: `parts` are references by the title of their section."""
    sections: list[JsonObject] = [{"title": title, "entry": list(map(ref, found))} for title, found in parts.items() if found]
    if note:
        div = f'<div xmlns="{XHTML}"><p>{escape(note, quote=False)}</p></div>'
        sections.append({"title": "What matters", "text": {"status": "generated", "div": div}})
    return {
        "resourceType": "Composition",
        "status": "preliminary",
        "type": concept((LOINC, "18761-7", "Transfer summary note"), local("note-type", "handover", "Handover")),
        "subject": ref(f"Patient/{client}"),
        "date": moment,
        "author": [ref(author)],
        "title": "Handover",
        "custodian": ref(organization),
        "section": sections,
    }


def preference_check(client: str, asked_by: str, moment: str) -> JsonObject:
    """The Task by which the client is asked whether the change is right for them."""
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "proposal",
        "priority": "routine",
        "code": concept(local("task-code", "preference-check", "Is it right for you?")),
        "description": "Somebody new is beside you from now on. Tell us whether that is right for you, and what matters to you in it.",
        "for": ref(f"Patient/{client}"),
        "authoredOn": moment,
        "lastModified": moment,
        "requester": ref(asked_by),
        "owner": ref(f"Patient/{client}"),
    }
