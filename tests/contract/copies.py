"""What a caller gets to read of a resource: the copy that is served, without its `meta` (domain.md 3.2, world.md Decisions 5 and 13).

A reference to what the caller may not read, or to what is not there, is gone with all that stands in it. Where the element asks for it,
what the reference stood in is gone with it.

Choices where the pages leave one:

1.  What the page says of seven elements holds wherever R4 asks for the reference: NEEDED names those that the tests' worlds have.
2.  Of the references to a client only the one that makes the resource the client's is kept: the auditor does not get `Consent.performer`.
3.  An element, an extension say, of which nothing but its url is left is gone too, and a list without members.
4.  A reference is gone when its target is not there, of whatever type. `Attachment.url` is no Reference and stays, and so does every
    conditional reference.
5.  An AuditEvent is served whole: it is the auditor's alone, and says what was done to whom.
6.  The members of a recipient group are those of the stored Group whom the reader may read; that they are computed is not told here.
"""

from collections.abc import Callable
from typing import Any

from tests.contract.content import CLIENT_ELEMENT, Resource

OWN_BASE = "http://127.0.0.1:8000/fhir/"
GONE = object()
NEEDED = frozenset(  # a reference that R4 asks for where it stands; the first seven are those that domain.md names
    {
        "EpisodeOfCare.diagnosis.condition", "Encounter.diagnosis.condition", "Encounter.location.location", "Group.member.entity",
        "Consent.provision.actor.reference", "DocumentReference.relatesTo.target", "Provenance.target",
        "Communication.payload.contentReference", "Composition.relatesTo.targetReference", "Consent.provision.data.reference",
        "Patient.link.other", "Procedure.performer.actor", "Provenance.agent.who", "Provenance.entity.what", "Task.input.valueReference",
        "Task.output.valueReference",
    }
)  # fmt: skip
COMPANIONS_PATIENT_LACKS = {"identifier", "link"}


def served(role: str, resource: Resource, reads: Callable[[str], bool]) -> Resource:
    """The copy for a caller of the role; `reads` says of a `Type/id` whether it is there for the caller to read."""
    kind = resource["resourceType"]
    if kind == "AuditEvent":
        return {name: value for name, value in resource.items() if name != "meta"}
    lacking = COMPANIONS_PATIENT_LACKS if (role, kind) == ("companion", "Patient") else set[str]()
    content = {name: value for name, value in resource.items() if name not in lacking | {"meta"}}

    def stays(path: str, holder: dict[str, Any]) -> bool:
        target = local_target(holder["reference"])
        names_client = path == client_path(kind) and bool(target) and target.startswith("Patient/")
        return not target or names_client or reads(target) or (role == "auditor" and path == "Provenance.target")

    return _kept(content, kind, stays)


def client_path(kind: str) -> str:
    """Where a resource of the type names its client."""
    return f"{kind}.participant.actor" if kind == "Appointment" else f"{kind}.{CLIENT_ELEMENT.get(kind, 'subject')}"


def local_target(reference: str) -> str:
    """`Type/id` of a literal reference to this server, or ''."""
    path = reference.removeprefix(OWN_BASE)
    parts = path.split("/")
    whole = len(parts) == 2 or (len(parts) == 4 and parts[2] == "_history")
    return "/".join(parts[:2]) if whole and parts[0].isalpha() and parts[0][0].isupper() else ""


def _kept(value: Any, path: str, stays: Callable[[str, dict[str, Any]], bool]) -> Any:
    """What is left of a value, or GONE."""
    if isinstance(value, list):
        left = [each for each in (_kept(each, path, stays) for each in value) if each is not GONE]
        return left or GONE
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("reference"), str) and not stays(path, value):
        return GONE
    left = dict[str, Any]()
    for name, each in value.items():
        below = path if path.endswith(".provision") and name == "provision" else f"{path}.{name}"
        kept = _kept(each, below, stays)
        if kept is not GONE:
            left[name] = kept
        elif below in NEEDED and path.count("."):
            return GONE
    emptied = not left or (path.endswith(("extension", "Extension")) and left.keys() == {"url"})
    return GONE if emptied and left != value else left


def points(copy: Resource, path: str) -> set[str]:
    """The `Type/id`s that a copy still points at by the element of this dotted path: what a search by reference may find it by."""
    found: list[Any] = [copy]
    for name in path.split("."):
        below = [each.get(name) for each in found if isinstance(each, dict)]
        found = [each for one in below for each in (one if isinstance(one, list) else [one])]
    return {local_target(each["reference"]) for each in found if isinstance(each, dict) and "reference" in each} - {""}
