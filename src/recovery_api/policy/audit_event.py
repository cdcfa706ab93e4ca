"""Audit records as AuditEvents, in the patterns of IHE BALP (https://profiles.ihe.net/ITI/BALP). A pure projection."""
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from recovery_api.domain.codes import CANON
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.policy.audit import READING, SEARCHES, Facts
from recovery_api.store.audit_chain import Record

DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
BALP: Final = "https://profiles.ihe.net/ITI/BALP"
TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
RESTFUL: Final = "http://hl7.org/fhir/restful-interaction"
JTI: Final = "urn:ietf:params:oauth:jti:"

SOURCE, DESTINATION, APPLICATION = (DCM, "110153"), (DCM, "110152"), (DCM, "110150")
RECIPIENT, AUTHOR = (f"{TERMINOLOGY}/v3-ParticipationType", "IRCP"), (f"{TERMINOLOGY}/v3-ParticipationType", "AUT")
PROVIDER = (f"{TERMINOLOGY}/v3-RoleClass", "PROV")
CUSTODIAN, AUTHORIZER = ("http://snomed.info/sct", "159541003"), ("http://snomed.info/sct", "429577009")
PERSON, THING = (f"{TERMINOLOGY}/audit-entity-type", "1"), (f"{TERMINOLOGY}/audit-entity-type", "2")
PATIENT, DATA, JOB, QUERY = ((f"{TERMINOLOGY}/object-role", code) for code in ("1", "4", "20", "24"))

ACTIONS: Mapping[str, str] = MappingProxyType({"create": "C", "update": "U", "patch": "U", "delete": "D"} | dict.fromkeys(READING, "R"))
PROFILES: Mapping[str, str] = MappingProxyType(
    {
        "read": "Read", "vread": "Read", "create": "Create", "update": "Update", "patch": "Update", "delete": "Delete",
        **dict.fromkeys(SEARCHES, "Query"),
    }
)
"""The BALP pattern of an interaction; with one patient, its Patient form."""


class Kind(NamedTuple):
    """What a kind of event is in AuditEvent.type and subtype, and its action."""

    type: tuple[str, str]
    subtypes: tuple[tuple[str, str], ...] = ()
    action: str = "E"


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "rest": Kind((f"{TERMINOLOGY}/audit-event-type", "rest")),
        "disclosure": Kind((DCM, "110106"), ((f"{TERMINOLOGY}/iso-21089-lifecycle", "disclose"),), "R"),
        "export": Kind((DCM, "110106"), action="R"),
        "sign-in": Kind((DCM, "110114"), ((DCM, "110122"),)),
        "sign-out": Kind((DCM, "110114"), ((DCM, "110123"),)),
        "token": Kind((DCM, "110114")),
        "consent": Kind((DCM, "110113"), ((f"{BALP}/CodeSystem/AuthZsubType", "AuthZ-Consent"),)),
        "emergency": Kind((DCM, "110127")),
    }
)


def audit_event(record: Record, facts: Facts, base: str, written: int) -> JsonObject:
    """The AuditEvent of a record. `base` is the server's FHIR base, `written` the stamp of the version (microseconds, UTC)."""
    kind = KINDS[facts.kind]
    known: JsonObject = {
        "resourceType": "AuditEvent",
        "id": record.id,
        "meta": {"versionId": "1", "lastUpdated": instant(written), **_profile(facts)},
        "type": _coding((DCM, "110128") if (facts.kind, facts.action) == ("emergency", "stop") else kind.type),
        "subtype": [_coding(code) for code in (*kind.subtypes, *_subtypes(facts))],
        "action": ACTIONS.get(facts.action, "E") if facts.kind == "rest" else kind.action,
        "recorded": instant(record.stamp),
        "outcome": "0" if facts.permitted else "4" if facts.status < 500 else "8",
        "outcomeDesc": "" if facts.permitted else "deny" if facts.kind == "consent" else f"HTTP {facts.status}",
        "purposeOfEvent": [_concept((f"{TERMINOLOGY}/v3-ActReason", facts.purpose))] if facts.purpose else [],
        "agent": list(_agents(facts, base)),
        "source": {"observer": _server(base), "type": [_coding((f"{TERMINOLOGY}/security-source-type", "4"))]},
        "entity": list(_entities(facts)),
    }
    return {name: value for name, value in known.items() if value not in ("", [])}


def _profile(facts: Facts) -> JsonObject:
    """The pattern that the event follows to the letter; a failure follows none, nor does one whose program is not known."""
    name = PROFILES.get(facts.action, "")
    if not facts.permitted or not facts.address:
        return {}
    if facts.kind == "disclosure":
        return {"profile": [f"{BALP}/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"]} if len(facts.patients) == 1 else {}
    if facts.kind != "rest" or not name or (name != "Query" and len(facts.data) != 1):
        return {}
    of_patient = "Patient" if len(facts.patients) == 1 else ""
    return {"profile": [f"{BALP}/StructureDefinition/IHE.BasicAudit.{of_patient}{name}"]}


def _subtypes(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.kind in {"rest", "disclosure"} and facts.action:
        yield RESTFUL, facts.action
    elif facts.kind == "token":
        yield f"{CANON}/CodeSystem/audit-subtype", f"token-{facts.action}"


def _agents(facts: Facts, base: str) -> Iterator[JsonObject]:
    """The server, the program that asked, who used it, and for whom; the first three give the direction in which data went."""
    gives = facts.action in READING or facts.kind in {"disclosure", "export"}
    there: JsonObject = {"who": _server(base), "requestor": False, "network": {"address": base, "type": "5"}}
    yield {"type": _concept(SOURCE if gives else DESTINATION), **there}
    is_system = facts.holder.startswith("client:")
    token: JsonObject = {"policy": [f"{JTI}{facts.token}"]} if facts.token else {}
    role: JsonObject = {"role": [_concept((f"{CANON}/CodeSystem/role", facts.role))]} if facts.role else {}
    program: JsonObject = {"requestor": is_system or not facts.holder, **(token | role if is_system else {})}
    if facts.client_id or facts.address:
        program["who"] = {"identifier": {"value": facts.client_id or facts.address}}
    if facts.client_id:
        program["altId"] = facts.client_id
    if facts.address:
        program["network"] = {"address": facts.address, "type": "2"}
    yield {"type": _concept(DESTINATION if gives else SOURCE), **program}
    if facts.holder and not is_system:
        writes = facts.action in {"create", "update", "patch", "delete"}
        who = {"reference": facts.holder} if "/" in facts.holder else {"identifier": {"value": facts.holder}}
        yield {"type": _concept(AUTHOR if writes else RECIPIENT), "who": who, "requestor": True, **token, **role}
    if facts.organization:
        yield {"type": _concept(PROVIDER), "who": {"reference": facts.organization}, "requestor": False}
    if facts.kind == "disclosure":
        yield {"type": _concept(CUSTODIAN), "who": _server(base), "requestor": False}
        if facts.consents:
            yield from ({"type": _concept(AUTHORIZER), "who": _patient(id), "requestor": False} for id in facts.patients)


def _entities(facts: Facts) -> Iterator[JsonObject]:
    for patient in facts.patients:
        yield {"what": _patient(patient), "type": _coding(PERSON), "role": _coding(PATIENT)}
    for reference in facts.data:
        yield {"what": {"reference": reference}, "type": _coding(THING), "role": _coding(DATA)}
    if facts.type and not facts.query:
        yield {"what": {"type": facts.type}, "type": _coding(THING), "role": _coding(DATA)}
    for consent in facts.consents:
        yield {"what": {"reference": consent}, "type": _coding(("http://hl7.org/fhir/resource-types", "Consent"))}
    if facts.query:
        yield {"query": facts.query, "type": _coding(THING), "role": _coding(QUERY)}
    if facts.operation:
        yield {"name": facts.operation if facts.kind == "export" else f"${facts.operation}", "type": _coding(THING), "role": _coding(JOB)}
    if facts.request:
        what = {"identifier": {"value": facts.request}}
        yield {"what": what, "type": _coding((f"{BALP}/CodeSystem/BasicAuditEntityType", "XrequestId"))}


def _server(base: str) -> JsonObject:
    return {"type": "Device", "identifier": {"value": base}}


def _patient(id: str) -> JsonObject:
    return {"reference": f"Patient/{id}"}


def _coding(code: tuple[str, str]) -> Json:
    return {"system": code[0], "code": code[1]}


def _concept(code: tuple[str, str]) -> JsonObject:
    return {"coding": [_coding(code)]}
