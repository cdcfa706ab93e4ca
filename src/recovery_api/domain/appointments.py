"""Sessions that are planned by an Appointment (domain.md 1.3)."""
from types import MappingProxyType
from typing import Final

from recovery_api.domain.codes import ACT, PARTICIPATION, THO, coding, concept, local, ref
from recovery_api.domain.sessions import REASON_SYSTEM, REASONS
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import objects_at, references_at

BOOKED: Final = "booked"
CALLED_OFF: Final = ("cancelled", "entered-in-error", "noshow")
OVER: Final = (*CALLED_OFF, "fulfilled")
WAYS: Final = MappingProxyType({"HH": "home health", "FLD": "field", "VR": "virtual", "AMB": "ambulatory"})
"""Where a session is, by the code of its class. Without one it is at home."""
HL7_REASON: Final = THO + "appointment-cancellation-reason"


def client_of(appointment: JsonObject) -> str:
    """The logical id of the client who takes part; '' where there is none."""
    return next((who.removeprefix("Patient/") for who in references_at(appointment, "participant.actor") if who.startswith("Patient/")), "")


def staff_of(appointment: JsonObject) -> list[str]:
    """The Practitioners who take part ("Practitioner/id")."""
    return [who for who in references_at(appointment, "participant.actor") if who.startswith("Practitioner/")]


def planned(appointment: JsonObject, companions: list[str]) -> JsonObject:
    """The session of the client with these companions, as an Appointment plans it."""
    kinds = objects_at(appointment, "serviceType.coding")
    way: str = next((each["code"] for each in kinds if each.get("system") == ACT and each.get("code") in WAYS), "HH")
    session: JsonObject = {
        "resourceType": "Encounter",
        "status": "planned",
        "class": coding(ACT, way, WAYS[way]),
        "type": [concept(local("session-type", "companion-session", "Companion session"))],
        "subject": ref(f"Patient/{client_of(appointment)}"),
        "basedOn": appointment.get("basedOn"),
        "participant": [{"type": [concept((PARTICIPATION, "PPRF", "primary performer"))], "individual": ref(who)} for who in companions],
        "appointment": [ref(f"Appointment/{appointment['id']}")],
        "period": time_of(appointment),
    }
    return {name: value for name, value in session.items() if value}


def time_of(appointment: JsonObject) -> JsonObject:
    """The Period that the Appointment is for."""
    return {name: appointment[name] for name in ("start", "end") if name in appointment}


def why_called_off(appointment: JsonObject) -> str:
    """The code of the reason for which the session is then cancelled: the client's choice, or else the companion's."""
    for each in objects_at(appointment, "cancelationReason.coding"):
        system, code = each.get("system"), str(each.get("code"))
        if system == REASON_SYSTEM and code in REASONS:
            return code
        if system == HL7_REASON and code.startswith("pat"):
            return "client-declined"
    return "client-declined" if appointment["status"] == "noshow" else "companion-unavailable"


def called_off(appointment: JsonObject, reason: str) -> JsonObject:
    """The Appointment when its session is cancelled for this reason; one that is over stays as it is."""
    if appointment["status"] in OVER:
        return appointment
    return {**appointment, "status": "cancelled", "cancelationReason": concept(local("session-cancellation", reason, REASONS[reason]))}
