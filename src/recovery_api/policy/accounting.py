"""What a client is told of who was given something of their record: AuditEvents, cut to this client and to what they may know
(42 CFR 2.25, 45 CFR 164.528; domain.md 3.4). A pure projection."""
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.summary import subsetted
from recovery_api.policy.audit_event import DCM, PATIENT, PROVIDER

ACCOUNTED: Final = ",".join(f"{DCM}|{code}" for code in ("110106", "110127", "110128"))
"""The types of the AuditEvents that are told, as a search names them: disclosures, emergency accesses and their ends."""
ACCESSED: Final = f"{ACCOUNTED},http://terminology.hl7.org/CodeSystem/audit-event-type|rest"
"""The same, and what was read and written inside the agency."""

KEPT: Final = ("id", "type", "subtype", "action", "recorded", "outcome", "purposeOfEvent", "source")
AGENT: Final = ("type", "role", "who", "altId", "requestor")


def named(event: JsonObject) -> Iterator[tuple[str, str]]:
    """Type and id of each resource that an AuditEvent names as what was shown, or as what it rests on."""
    yield from (_target(entity) for entity in event.get("entity", ()) if "reference" in entity.get("what", ()))


@dataclass(frozen=True, slots=True)
class Accounting:
    """An accounting of what was given of one client's record."""

    client: str
    """The logical id of the Patient."""
    types: Container[str]
    """The types of which a client's record is."""
    theirs: Container[tuple[str, str]]
    """What is the client's of all that the AuditEvents name, by type and id."""
    readable: Container[tuple[str, str]]
    """What may be named of it to whoever asks; of the rest the type is told."""

    def of(self, event: JsonObject) -> JsonObject:
        """The AuditEvent with its recipient, the client, and what was given of theirs: of nobody else, from no address."""
        kept = {name: event[name] for name in KEPT if name in event}
        entities: list[Json] = []
        for entity in self._entities(event):
            if entity not in entities:
                entities.append(entity)
        agents = [{name: agent[name] for name in AGENT if name in agent} for agent in event["agent"] if _is_recipient(agent)]
        return subsetted({"resourceType": "AuditEvent", **kept, "agent": agents, "entity": entities})

    def _entities(self, event: JsonObject) -> Iterator[JsonObject]:
        about = [entity for entity in event["entity"] if "reference" in entity.get("what", ())]
        of_others = any(_is_patient(entity) and _target(entity) != ("Patient", self.client) for entity in about)
        for entity in about:
            type, id = _target(entity)
            if (type, id) in self.readable or (_is_patient(entity) and id == self.client):
                yield entity | {"what": {"reference": f"{type}/{id}"}}
            elif type in self.types and ((type, id) in self.theirs or not of_others):
                yield entity | {"what": {"type": type}}


def _target(entity: Mapping[str, Json]) -> tuple[str, str]:
    type, id, *_ = entity["what"]["reference"].split("/")
    return type, id


def _is_patient(entity: JsonObject) -> bool:
    return (entity.get("role", {}).get("system"), entity.get("role", {}).get("code")) == PATIENT


def _is_recipient(agent: JsonObject) -> bool:
    return agent["requestor"] or (agent["type"]["coding"][0]["system"], agent["type"]["coding"][0]["code"]) == PROVIDER
