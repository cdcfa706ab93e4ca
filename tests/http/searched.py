"""A world to search in: three clients of Ruth's, and resources of every shape that a search parameter reads."""

from decimal import Decimal
from typing import Any

from recovery_api.domain.codes import LOINC, THO, coding, concept, ref
from recovery_api.fhir.json import JsonObject
from tests.world import Story

UCUM = "http://unitsofmeasure.org"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
V2_0203 = THO + "v2-0203"
NAMES = {
    "zoe": [{"family": "Müller", "given": ["Zoë", "Ann"]}],
    "yan": [{"family": "Muller, Jr", "given": ["Yan"]}],
    "xia": [{"text": "Xia Obermüller"}],
}


def world() -> list[JsonObject]:
    """The fixture world, and beside it Zoë, Yan and Xia, whom Maya accompanies."""
    story = Story()
    for client, name in NAMES.items():
        story.client(client, ["maya", "ruth"])
        story.find(f"Patient/{client}").update(name=name, gender="other")
    _people(story)
    _places(story)
    _sessions(story)
    _observations(story)
    _definitions(story)
    return story.resources


def _people(story: Story) -> None:
    zoe, yan, xia = (story.find(f"Patient/{client}") for client in NAMES)
    number = concept((V2_0203, "MR"), text="Record number")
    zoe.update(birthDate="1990-04-02", gender="female", identifier=[{"type": number, "system": "urn:zoe", "value": "7"}])
    zoe["address"] = [{"city": "Ålesund", "state": "CA", "postalCode": "90000", "line": ["1 Example Street"]}]
    zoe["link"] = [{"other": {"reference": "https://elsewhere.example/fhir/Patient/z"}, "type": "seealso"}]
    yan.update(birthDate="1990-04", gender="other", identifier=[{"system": "urn:yan", "value": "a,b|c$d"}, {"value": "7"}])
    xia.update(birthDate="1991", gender="unknown", deceasedBoolean=True)
    del xia["identifier"]
    xia["meta"] = {
        "tag": [coding("urn:tags", "walks")],
        "profile": ["https://profiles.example/StructureDefinition/person|1.0"],
        "source": "https://intake.example/form#3",
    }


def _places(story: Story) -> None:
    for inner, outer in (("house", None), ("floor", "house"), ("room", "floor")):
        part_of = {"partOf": ref(f"Location/{outer}")} if outer else {}
        story.add({"resourceType": "Location", "id": inner, "status": "active", "name": f"The {inner}"} | part_of)


def _sessions(story: Story) -> None:
    story.session("s-zoe-1", "zoe", "maya", "2026-10-01T10:00:00Z", kind="FLD")
    story.session("s-zoe-2", "zoe", "maya", "2026-10-08T10:00:00Z", reason=("cond-zoe", "F33.1"))
    story.session("s-yan-1", "yan", "maya", "2026-10-02T10:00:00Z", kind="VR")
    story.find("Encounter/s-zoe-1")["location"] = [{"location": ref("Location/room")}]
    story.find("Encounter/s-zoe-2")["partOf"] = ref("Encounter/s-zoe-1")
    story.note("d-zoe-1", "zoe", "maya", "2026-10-01T10:00:00Z", "A heron stood in the water & waited.", encounter="s-zoe-1", signer="ruth")
    story.note("d-zoe-2", "zoe", "maya", "2026-10-08T10:00:00Z", "No heron today, only rain.", encounter="s-zoe-2")
    story.find("DocumentReference/d-zoe-2")["text"] = {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml">A <b>rainy</b> walk</div>',
    }
    questions = {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": ref("Patient/zoe")}
    story.add({"id": "qr-1", "questionnaire": "https://forms.example/Questionnaire/pace|1", "authored": "2026-10-01"} | questions)
    story.add({"id": "qr-2", "questionnaire": "https://forms.example/Questionnaire/pace|2", "authored": "2026-10-02"} | questions)
    risk: JsonObject = {"resourceType": "RiskAssessment", "status": "final", "subject": ref("Patient/zoe")}
    for id, probability in (("r-5", 5), ("r-54", 54), ("r-100", 100)):
        story.add({"id": id, "prediction": [{"probabilityDecimal": probability}]} | risk)


def _observations(story: Story) -> None:
    def seen(id: str, client: str = "zoe", code: str = "1-1", **more: Any) -> None:
        story.add(
            {
                "resourceType": "Observation",
                "id": id,
                "status": "final",
                "code": concept((LOINC, code), text=more.pop("said", None)),
                "subject": ref(f"Patient/{client}"),
            }
            | more
        )

    for id, value, unit in (("q-gram", 1, "g/L"), ("q-milligram", Decimal("250.0"), "mg/dL"), ("q-pound", 185, "[lb_av]")):
        seen(id, valueQuantity={"value": value, "system": UCUM, "code": unit})
    seen("q-point", valueQuantity={"value": Decimal("5.4"), "unit": "points"})
    for id, when in (
        ("t-year", "2020"), ("t-month", "2020-03"), ("t-day", "2020-03-15"), ("t-instant", "2020-03-15T10:00:00Z"),
        ("t-later", "2021-06-01"),
    ):  # fmt: skip
        seen(id, "yan", effectiveDateTime=when)
    seen("t-period", "yan", effectivePeriod={"start": "2020-03-10", "end": "2020-03-20"})
    seen("t-open", "yan", effectivePeriod={"start": "2020-03-12"})
    pressure = [
        {"code": concept((LOINC, code)), "valueQuantity": {"value": value, "system": UCUM, "code": "mm[Hg]"}}
        for code, value in (("8480-6", 140), ("8462-4", 90))
    ]
    seen("c-pressure", code="85354-9", component=pressure)
    well = concept(("urn:sleep", "well", "Well"), text="Well|enough")
    seen("c-concept", "xia", code="2-2", said="Sleep, and how", valueCodeableConcept=well)
    seen("c-string", "xia", code="3-3", valueString="Rested, at last")
    seen("x-draft", "xia", status="preliminary", encounter=ref("Encounter/s-yan-1"))
    seen("x-walk", encounter=ref("Encounter/s-zoe-1"), performer=[{"identifier": {"system": "urn:npi", "value": "9"}}], code="9-9")
    seen("x-set", hasMember=[ref("Observation/x-walk")], performer=[ref("Organization/org-cir"), ref("Practitioner/maya")], code="9-8")


def _definitions(story: Story) -> None:
    for id, url in (("v-all", "https://terms.example/sets"), ("v-one", "https://terms.example/sets/one"), ("v-two", "https://terms.example/sets2")):
        story.add({"resourceType": "ValueSet", "id": id, "url": url, "status": "active"})
