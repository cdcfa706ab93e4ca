"""What a session's record must hold, and the note that is drafted from it in words that name strengths (domain.md 1.3, 7).

The words are `definitions/session-summary.toml`.
"""
import base64
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from recovery_api.domain.codes import CANON, LOINC, concept, local, ref
from recovery_api.domain.notes import fingerprint
from recovery_api.fhir.instants import MINUTE
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_object
from recovery_api.fhir.paths import objects_at
from recovery_api.fhir.search.dates import implicit_range

OBSERVATIONS: Final = f"{CANON}/CodeSystem/companion-observation"
WITHDRAWN: Final = frozenset({"entered-in-error", "cancelled"})
CLINICAL_NOTE: Final = ("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note")
SESSION_NOTE: Final = (
    (LOINC, "11506-3", "Progress note"),
    (LOINC, "34904-3", "Mental health Progress note"),
    local("note-type", "companion-session-note", "Companion session note"),
)


class Section(NamedTuple):
    """A section of a note: its code of document-section, and a line for each of its Observations."""

    key: str
    title: str
    lines: Sequence[str]
    observations: Sequence[JsonObject]
    is_open: bool


def unobserved(observations: Iterable[JsonObject]) -> list[str]:
    """The required codes of which a session's Observations say neither a value nor that nobody observed it."""
    told = {code_of(each) for each in _standing(observations)}
    return [code for code in _words()["required"] if code not in told]


def code_of(observation: JsonObject) -> str:
    """The companion-observation code of an Observation; '' where it has none."""
    ours = [each for each in objects_at(observation, "code.coding") if each.get("system") == OBSERVATIONS]
    return next((each["code"] for each in ours if "code" in each), "")


def summary(session: JsonObject, observations: Iterable[JsonObject], name: str, zone: ZoneInfo) -> str:
    """The draft of a note in plain text: what was recorded, in the order in which it happened; `name` is the client's."""
    parts = [opening(session, name, zone)]
    for section in sections(observations, name):
        lines = section.lines or ([_words()["open"].format(name=name)] if section.is_open else [])
        if lines:
            parts.append("\n".join([section.title, *lines]))
    return "\n\n".join(parts) + "\n"


def opening(session: JsonObject, name: str, zone: ZoneInfo) -> str:
    """Where the session was, and how long, in a sentence; `name` is the client's."""
    words = _words()
    where = words["where"].get(session["class"].get("code"), words["where"]["FLD"])
    return words["opening"].format(name=name, where=where, length=_length(session, zone))


def sections(observations: Iterable[JsonObject], name: str) -> list[Section]:
    """The sections of what is told of a session, with each Observation in one of them, in the order in which it happened."""
    words = _words()
    told = sorted(_standing(observations), key=lambda each: (each.get("effectiveDateTime", ""), each["id"]))
    listed = {code for section in words["section"] for code in section["says"]}
    found: list[Section] = []
    for section in words["section"]:
        mine = [each for each in told if (code := code_of(each)) in section["says"] or (section.get("others") and code not in listed)]
        lines = [_sentence(section["says"], each, name) for each in mine]
        found.append(Section(section["key"], section["title"].format(name=name), lines, mine, section.get("open", False)))
    return found


def drafted(session: JsonObject, ids: tuple[str, str], author: str, organization: str | None, now: str, text: str) -> Sequence[JsonObject]:
    """The draft as a DocumentReference and its Binary, with these ids."""
    document, binary = ids
    data = text.encode()
    attachment = {"contentType": "text/plain", "url": f"Binary/{binary}", **fingerprint(data), "title": "Session note", "creation": now}
    context = {"encounter": [ref(f"Encounter/{session['id']}")]} | ({"period": session["period"]} if "period" in session else {})
    return (
        {
            "resourceType": "DocumentReference",
            "id": document,
            "status": "current",
            "docStatus": "preliminary",
            "type": concept(*SESSION_NOTE),
            "category": [concept(CLINICAL_NOTE)],
            "subject": session["subject"],
            "date": now,
            "author": [ref(author)],
            **({"custodian": ref(organization)} if organization else {}),
            "content": [{"attachment": attachment}],
            "context": context,
        },
        {
            "resourceType": "Binary",
            "id": binary,
            "contentType": "text/plain",
            "securityContext": ref(f"DocumentReference/{document}"),
            "data": base64.b64encode(data).decode(),
        },
    )


def _standing(observations: Iterable[JsonObject]) -> list[JsonObject]:
    return [each for each in observations if each.get("status") not in WITHDRAWN]


def _length(session: JsonObject, zone: ZoneInfo) -> str:
    period = session.get("period", {})
    if not {"start", "end"} <= period.keys():
        return ""
    minutes = (implicit_range(period["end"], zone).low - implicit_range(period["start"], zone).low) // MINUTE
    return _words()["length"].format(minutes=minutes)


def _sentence(says: Mapping[str, str], observation: JsonObject, name: str) -> str:
    code = code_of(observation)
    what = code.replace("-", " ") if code else _value(observation["code"])
    values = {"name": name, "What": what[:1].upper() + what[1:], "value": ", ".join(_values(observation))}
    template = says.get(code, _words()["other"]) if values["value"] else _words()["not_observed"]
    return template.format(**values)


def _values(observation: JsonObject) -> Iterator[str]:
    """What was recorded, in words: the value, and then each component with what it is."""
    for name, value in observation.items():
        if name.startswith("value"):
            yield _value(value)
    for part in observation.get("component", ()):
        for said in _values(part):
            yield f"{_value(part['code'])} {said}"


def _value(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not is_object(value):
        return str(value)
    if "value" in value:
        return f"{value['value']} {value.get('unit', value.get('code', ''))}".strip()
    said = [each.get("display") or each.get("code", "") for each in objects_at(value, "coding")]
    return str(value.get("text") or next(iter(said), "")).replace("-", " ").lower()


@cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads((files("recovery_api") / "definitions" / "session-summary.toml").read_text("utf-8"))
