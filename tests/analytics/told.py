"""A world with something for every view, and what the tables must say of it: read off the resources by hand, not by FHIRPath."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from recovery_api.analytics.pseudonyms import Pseudonyms
from recovery_api.domain.codes import LOINC, THO, concept, local, ref
from recovery_api.fhir.json import JsonObject
from tests.world import Story

SECRET = b"a secret of thirty-two bytes ..."
KEY = Pseudonyms(SECRET)


def world() -> list[JsonObject]:
    story = Story()
    when = story.instant(days=3)
    parts = [
        ("preceding-trigger", {"valueCodeableConcept": concept(local("trigger", "conflict"))}),
        ("companion-response", {"valueCodeableConcept": concept(local("companion-response", "gave-space"))}),
        ("companion-response", {"valueCodeableConcept": concept(local("companion-response", "grounded"))}),
        ("recovery-minutes", {"valueInteger": 20}),
    ]
    component = [{"code": concept(local("companion-observation-component", code)), **value} for code, value in parts]
    response = concept(local("trauma-response", "freeze"))
    story.observation("o-freeze", "ana", "trauma-response", response, when, "maya", encounter="e-ana-2", more={"component": component})
    story.observation("o-error", "ana", "trigger", response, when, "maya", status="entered-in-error")
    mean = {"valueQuantity": {"value": Decimal("2.75")}}
    for id, value in (("o-phq9", {"valueInteger": 12}), ("o-mean", mean), ("o-item", {"valueString": "x"})):
        story.add(
            {
                "resourceType": "Observation",
                "id": id,
                "status": "final",
                "category": [concept((THO + "observation-category", "survey"))],
                "code": concept((LOINC, "44261-6", "PHQ-9 total")),
                "subject": ref("Patient/ana"),
                "effectiveDateTime": when,
                "interpretation": [{"text": "moderate"}],
                **value,
            }
        )
    story.session("e-break", "ben", "leo", story.instant(days=1), kind="FLD")["statusHistory"].append(
        {"status": "onleave", "period": {"start": story.instant(days=1)}}
    )
    return story.resources


def expected(resources: list[JsonObject]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each view, by its name, in the order of their first column."""
    told: dict[str, list[dict[str, Any]]] = {"cadence": [], "outcomes": [], "sessions": [], "triggers": []}
    for each in resources:
        if each["resourceType"] == "Encounter":
            told["sessions"].append(_session(each))
        elif each["resourceType"] == "Task" and _code(each["code"]) != "fulfill":
            told["cadence"].append(_task(each))
        elif each["resourceType"] == "Observation" and each["status"] == "final":
            if _code(each["code"]) in {"trigger", "trauma-response"}:
                told["triggers"].append(_trigger(each))
            elif _code(each["category"][0]) == "survey" and "valueString" not in each:
                told["outcomes"].append(_outcome(each))
    return {name: ordered(rows) for name, rows in told.items()}


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: next(iter(row.values())))


def _key(reference: JsonObject | None, type: str = "") -> str | None:
    return KEY(reference["reference"]) if reference and reference["reference"].startswith(type) else None


def _code(concept: JsonObject) -> str:
    return concept["coding"][0]["code"]


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _session(each: JsonObject) -> dict[str, Any]:
    return {
        "session": KEY(f"Encounter/{each['id']}"),
        "client": _key(each["subject"]),
        "companion": _key(each["participant"][0]["individual"]),
        "episode": _key(each["episodeOfCare"][0]),
        "status": each["status"],
        "setting": each["class"]["code"],
        "started": _at(each["period"]["start"]),
        "ended": _at(each["period"]["end"]),
        "breaks": sum(1 for one in each["statusHistory"] if one["status"] == "onleave"),
    }


def _trigger(each: JsonObject) -> dict[str, Any]:
    parts: dict[str, list[Any]] = {}
    for part in each.get("component", ()):
        parts.setdefault(_code(part["code"]), []).append(part.get("valueInteger") or _code(part["valueCodeableConcept"]))
    return {
        "observation": KEY(f"Observation/{each['id']}"),
        "client": _key(each["subject"]),
        "session": _key(each.get("encounter")),
        "kind": _code(each["code"]),
        "at": _at(each["effectiveDateTime"]),
        "value": _code(each["valueCodeableConcept"]),
        "trigger": parts.get("preceding-trigger", [None])[0],
        "intensity": parts.get("intensity", [None])[0],
        "helped": ",".join(parts["companion-response"]) if "companion-response" in parts else None,
        "minutes": parts.get("recovery-minutes", [None])[0],
    }


def _outcome(each: JsonObject) -> dict[str, Any]:
    coding = each["code"]["coding"][0]
    return {
        "observation": KEY(f"Observation/{each['id']}"),
        "client": _key(each["subject"]),
        "answers": None,
        "at": _at(each["effectiveDateTime"]),
        "system": coding["system"],
        "code": coding["code"],
        "instrument": coding["display"],
        "score": float(each["valueInteger"] if "valueInteger" in each else each["valueQuantity"]["value"]),
        "band": "moderate",
    }


def _task(each: JsonObject) -> dict[str, Any]:
    return {
        "task": KEY(f"Task/{each['id']}"),
        "kind": _code(each["code"]),
        "status": each["status"],
        "priority": each["priority"],
        "outcome": None,
        "client": _key(each.get("for")),
        "owner": _key(each["owner"], "Practitioner/"),
        "requester": _key(each["requester"], "Practitioner/"),
        "concerned": _key(each.get("focus")),
        "asked": _at(each["authoredOn"]),
        "due": _at(each.get("restriction", {}).get("period", {}).get("end")),
        "done": _at(each["lastModified"]) if each["status"] == "completed" else None,
    }
