"""A chart of Ana's that has what no example and no realistic patient has of what US Core 7 asks servers to support."""

from collections.abc import Iterator
from copy import deepcopy

from recovery_api.domain.codes import ACT, LOINC, PARTICIPATION, SCT, THO, concept, ref
from recovery_api.fhir.json import JsonObject

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
RXNORM, UCUM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://unitsofmeasure.org"
SEEN = ref("Encounter/seen")
ANA, RUTH, WHEN = ref("Patient/ana"), ref("Practitioner/ruth"), "2026-10-01T09:00:00Z"
NEEDED = f"{US_CORE}us-core-interpreter-needed"

CONFIRMED = (("clinical", "active"), ("verification", "confirmed"))
STANDS = (("clinical", "clinical", "active"), ("verification", "ver-status", "confirmed"))
OF_THE_WORLD = ("Patient/ana", "Condition/cond-ana-ptsd", "CarePlan/cp-ana", "CareTeam/ct-ana", "Goal/g-ana-1")

NOTES = {
    "11488-4": "Consult note", "18842-5": "Discharge summary", "34117-2": "History and physical note", "28570-0": "Procedure note",
    "11506-3": "Progress note", "34111-5": "Emergency department note", "18748-4": "Diagnostic imaging study",
    "11502-2": "Laboratory report", "11526-1": "Pathology study",
}  # fmt: skip
"""The clinical notes that US Core asks for (https://hl7.org/fhir/us/core/STU7/clinical-notes.html)."""
REPORTS = {"LP29684-5": "Radiology", "LP29708-2": "Cardiology", "LP7839-6": "Pathology"}
SCREENED = {"sdoh": "71802-3", "functional-status": "89571-4", "disability-status": "69856-3", "cognitive-status": "72106-8"}

VITALS = {
    "us-core-bmi": ("39156-5", "kg/m2"), "us-core-heart-rate": ("8867-4", "/min"), "us-core-body-height": ("8302-2", "cm"),
    "us-core-body-temperature": ("8310-5", "Cel"), "us-core-body-weight": ("29463-7", "kg"), "us-core-head-circumference": ("9843-4", "cm"),
    "us-core-respiratory-rate": ("9279-1", "/min"), "us-core-vital-signs": ("8478-0", "mm[Hg]"),
    "head-occipital-frontal-circumference-percentile": ("8289-1", "%"), "pediatric-bmi-for-age": ("59576-9", "%"),
    "pediatric-weight-for-height": ("77606-2", "%"),
}  # fmt: skip


def chart() -> list[JsonObject]:
    """The resources. Ana, Ruth, their organization and e-ana-1 are of the fixture world."""
    told = (_vitals, _pressures, _oximetry, _other_observations, _medicines, _insurance_and_things, _others, _of_ana)
    found = [each for part in told for each in part()]
    notes = [*_notes()]
    of_everybody = {"Endpoint", "Location", "Medication", "Practitioner", "PractitionerRole"}
    targets = [f"{each['resourceType']}/{each['id']}" for each in (*found, *notes) if each["resourceType"] not in of_everybody]
    return [*found, *notes, *_provenance([*targets, *OF_THE_WORLD])]


def _kept(profile: str) -> JsonObject:
    return {"meta": {"profile": [f"{US_CORE}us-core-{profile}"]}}


def _quantity(value: int, unit: str) -> JsonObject:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _unknown() -> JsonObject:
    return concept((ABSENT, "unknown"))


def _observation(id: str, profile: str, code: str, category: str = "vital-signs", **more: object) -> JsonObject:
    return {
        "resourceType": "Observation",
        "id": id,
        "meta": {"profile": [US_CORE + profile]},
        "status": "final",
        "category": [concept((THO + "observation-category", category))],
        "code": concept((LOINC, code)),
        "subject": ANA,
        "effectiveDateTime": WHEN,
        "performer": [RUTH],
        **more,
    }


def _vitals() -> Iterator[JsonObject]:
    position = concept((LOINC, "8361-8", "Body position with respect to gravity"))
    part, unmeasured = {"code": position, "valueString": "Sitting"}, {"code": position, "dataAbsentReason": _unknown()}
    for number, (profile, (code, unit)) in enumerate(VITALS.items()):
        yield _observation(f"vital-{number}", profile, code, valueQuantity=_quantity(20, unit), component=[part, unmeasured])
        yield _observation(f"vital-{number}-absent", profile, code, dataAbsentReason=_unknown())


def _pressures() -> Iterator[JsonObject]:
    low, high = (_quantity(value, "mm[Hg]") for value in (80, 120))
    for profile, panel, codes in (
        ("us-core-blood-pressure", "85354-9", ("8480-6", "8462-4")),
        ("us-core-average-blood-pressure", "96607-7", ("96608-5", "96609-3")),
    ):
        upper, lower = (concept((LOINC, code)) for code in codes)
        both = [{"code": upper, "valueQuantity": high}, {"code": lower, "valueQuantity": low}]
        none = [{"code": each, "dataAbsentReason": _unknown()} for each in (upper, lower)]
        yield _observation(f"{panel}-measured", profile, panel, component=both)
        yield _observation(f"{panel}-absent", profile, panel, component=none, dataAbsentReason=_unknown())


def _oximetry() -> Iterator[JsonObject]:
    codes = (("3151-8", "L/min"), ("3150-0", "%"))
    flow, concentration = ({"code": concept((LOINC, code)), "valueQuantity": _quantity(6, unit)} for code, unit in codes)
    absent = [{"code": concept((LOINC, code)), "dataAbsentReason": _unknown()} for code, _ in codes]
    code = concept((LOINC, "2708-6"), (LOINC, "59408-5"))
    measured = {"valueQuantity": _quantity(95, "%"), "component": [flow, concentration]}
    for id, said in (("oximetry", measured), ("oximetry-absent", {"dataAbsentReason": _unknown(), "component": absent})):
        yield _observation(id, "us-core-pulse-oximetry", "2708-6", **said) | {"code": code}


def _other_observations() -> Iterator[JsonObject]:
    intent = concept((SCT, "454381000124105"))
    yield _observation("intent", "us-core-observation-pregnancyintent", "86645-9", "social-history", valueCodeableConcept=intent)
    smoking = concept((SCT, "266919005", "Never smoked tobacco"))
    yield _observation("smoking", "us-core-smokingstatus", "72166-2", "social-history", valueCodeableConcept=smoking)
    wish = {"category": [concept((CATEGORY, "treatment-intervention-preference"))], "valueString": "Ask me first."}
    yield _observation("wish", "us-core-treatment-intervention-preference", "75773-2") | wish
    for id, profile, code, category in (
        ("lab-absent", "us-core-observation-lab", "2339-0", "laboratory"),
        ("result-absent", "us-core-observation-clinical-result", "18844-1", "procedure"),
        ("screening-absent", "us-core-observation-screening-assessment", "44261-6", "survey"),
    ):
        yield _observation(id, profile, code, category, dataAbsentReason=_unknown(), encounter=SEEN)
    glucose = {"valueQuantity": _quantity(90, "mg/dL"), "specimen": ref("Specimen/blood")}
    yield _observation("glucose", "us-core-observation-lab", "2339-0", "laboratory", **glucose)
    for category, code in SCREENED.items():
        survey = _observation(f"screened-{category}", "us-core-observation-screening-assessment", code, "survey", valueInteger=1)
        survey["category"].append(concept((CATEGORY, category)))
        yield survey


def _medicines() -> Iterator[JsonObject]:
    coded = concept((RXNORM, "312938"))
    yield {"resourceType": "Medication", "id": "sertraline", **_kept("medication"), "code": coded}
    medicine, dose = ref("Medication/sertraline"), {"doseAndRate": [{"doseQuantity": _quantity(50, "mg")}]}
    dosage = {"text": "One each morning", "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, **dose}
    community = concept((THO + "medicationrequest-category", "community"))
    order = {"status": "active", "intent": "order", "category": [community], "subject": ANA, "requester": RUTH, "authoredOn": WHEN}
    order |= {"resourceType": "MedicationRequest", **_kept("medicationrequest")}
    yield {"id": "order", **order, "medicationReference": medicine, "reportedBoolean": False}
    yield {"id": "told", **order, "medicationCodeableConcept": coded, "reportedReference": ANA}
    given = {"status": "completed", "subject": ANA, "context": ref("Encounter/e-ana-1"), "performer": [{"actor": RUTH}]}
    how = {"authorizingPrescription": [ref("MedicationRequest/order")], "type": concept((ACT, "FF")), "quantity": _quantity(30, "{tbl}")}
    yield {
        "resourceType": "MedicationDispense", "id": "given", **_kept("medicationdispense"), **given, **how,
        "medicationReference": medicine, "whenHandedOver": WHEN, "dosageInstruction": [dosage],
    }  # fmt: skip


def _insurance_and_things() -> Iterator[JsonObject]:
    member = concept(("http://terminology.hl7.org/CodeSystem/v2-0203", "MB"))
    kinds = [{"type": concept((f"{THO}coverage-class", kind)), "value": "1", "name": kind} for kind in ("group", "plan")]
    yield {
        "resourceType": "Coverage", "id": "insured", **_kept("coverage"), "status": "active",
        "identifier": [{"type": member, "system": "urn:payer", "value": "M1"}], "type": concept((ACT, "HIP")), "subscriberId": "S1",
        "beneficiary": ANA, "relationship": concept((f"{THO}subscriber-relationship", "self")), "period": {"start": "2026-01-01"},
        "payor": [ref("Organization/org-cir")], "class": kinds,
    }  # fmt: skip
    carrier = [{"deviceIdentifier": "00844588003288", "carrierHRF": "(01)00844588003288(17)141120(10)7654321D(21)10987654d321"}]
    numbers = {"distinctIdentifier": "D1", "lotNumber": "L1", "serialNumber": "N1"}
    numbers |= {"manufactureDate": "2025-01-01", "expirationDate": "2035-01-01"}
    kind = {"type": concept((SCT, "14106009", "Cardiac pacemaker")), "patient": ANA, "status": "active"}
    yield {"resourceType": "Device", "id": "pacemaker", **_kept("implantable-device"), "udiCarrier": carrier, **numbers, **kind}


def _others() -> Iterator[JsonObject]:
    address = {"line": ["1 Main St"], "city": "Troy", "state": "NY", "postalCode": "12180", "country": "US"}
    yield {"resourceType": "Location", "id": "walk-in", "status": "active", "name": "Walk-in", "address": address}
    wire = {"coding": [{"system": f"{THO}endpoint-connection-type", "code": "hl7-fhir-rest"}]}
    yield {
        "resourceType": "Endpoint", "id": "door", "status": "active", "connectionType": wire["coding"][0], "payloadType": [{"text": "any"}],
        "address": "https://ehr.example/fhir",
    }  # fmt: skip
    yield {
        "resourceType": "PractitionerRole", "id": "nurse", **_kept("practitionerrole"), "practitioner": RUTH,
        "organization": ref("Organization/org-cir"), "code": [concept(("http://nucc.org/provider-taxonomy", "171M00000X"))],
        "specialty": [concept(("http://nucc.org/provider-taxonomy", "101YM0800X"))], "location": [ref("Location/walk-in")],
        "telecom": [{"system": "phone", "value": "555-0100"}], "endpoint": [ref("Endpoint/door")],
    }  # fmt: skip
    npi = [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]
    yield {
        "resourceType": "Practitioner", "id": "abroad", **_kept("practitioner"), "identifier": npi,
        "name": [{"family": "Ito"}], "address": [address],
    }  # fmt: skip
    attended = concept((PARTICIPATION, "PPRF"))
    yield {
        "resourceType": "Encounter", "id": "seen", **_kept("encounter"), "status": "finished", "subject": ANA,
        "identifier": [{"system": "urn:visits", "value": "1"}], "class": {"system": ACT, "code": "AMB"},
        "type": [concept((SCT, "185349003"))],
        "participant": [{"type": [attended], "period": {"start": WHEN}, "individual": RUTH}], "period": {"start": WHEN, "end": WHEN},
        "reasonReference": [ref("Condition/cond-ana-ptsd")],
    }  # fmt: skip
    vaccine = {"vaccineCode": concept(("http://hl7.org/fhir/sid/cvx", "140")), "patient": ANA, "primarySource": True}
    yield {
        "resourceType": "Immunization", "id": "not-given", **_kept("immunization"), "status": "not-done",
        "statusReason": concept((f"{THO}v3-ActReason", "PATOBJ")), "location": ref("Location/walk-in"),
        "occurrenceDateTime": WHEN, **vaccine,
    }  # fmt: skip
    shown = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/display", "valueString": "How the day was"}]}
    inner = [{"linkId": "1.1", "answer": [{"valueBoolean": True}]}]
    yield {
        "resourceType": "QuestionnaireResponse", "id": "asked", **_kept("questionnaireresponse"),
        "identifier": {"system": "urn:forms", "value": "1"}, "questionnaire": "https://example.org/Questionnaire/day",
        "_questionnaire": shown,
        "status": "completed", "subject": ANA, "authored": WHEN, "author": RUTH,
        "item": [{"linkId": "1", "answer": [{"valueString": "Good", "item": inner}]}],
    }  # fmt: skip


def _of_ana() -> Iterator[JsonObject]:
    """One more of each type that the fixture world has not for her."""
    since = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
    active, sure = (concept((f"{THO}allergyintolerance-{kind}", code)) for kind, code in CONFIRMED)
    yield {
        "resourceType": "AllergyIntolerance", "id": "pollen", **_kept("allergyintolerance"), "clinicalStatus": active, "patient": ANA,
        "verificationStatus": sure, "code": concept((SCT, "256259004", "Pollen")), "_onsetDateTime": since,
    }  # fmt: skip
    blood = concept((SCT, "119297000", "Blood specimen"))
    yield {"resourceType": "Specimen", "id": "blood", **_kept("specimen"), "type": blood, "subject": ANA}
    met = {"encounter": SEEN, "code": concept((SCT, "47505003", "Posttraumatic stress disorder")), "subject": ANA, "recordedDate": WHEN}
    state = {f"{kind}Status": concept((f"{THO}condition-{system}", code)) for kind, system, code in STANDS}
    diagnosis = [concept((f"{THO}condition-category", "encounter-diagnosis"))]
    yield {"resourceType": "Condition", "id": "met", **_kept("condition-encounter-diagnosis"), "category": diagnosis, **state, **met}
    walk = {"status": "completed", "code": concept((SCT, "229065009")), "subject": ANA, "performedDateTime": WHEN}
    yield {"resourceType": "Procedure", "id": "exercise", **_kept("procedure"), **walk}
    sister = {"active": True, "patient": ANA, "relationship": [concept((f"{THO}v3-RoleCode", "SIB"))], "name": [{"text": "Mia"}]}
    yield {"resourceType": "RelatedPerson", "id": "mia", **_kept("relatedperson"), **sister}
    asked = {"status": "active", "intent": "order", "subject": ANA, "requester": RUTH, "authoredOn": WHEN, "occurrenceDateTime": WHEN}
    what = {"category": [concept((SCT, "409073007", "Education"))], "code": concept((SCT, "229070002"))}
    yield {"resourceType": "ServiceRequest", "id": "stretching", **_kept("servicerequest"), **asked, **what}


def _notes() -> Iterator[JsonObject]:
    """Each kind of note as a DocumentReference, and the same attachments in reports."""
    attachments: list[JsonObject] = []
    for code, title in NOTES.items():
        attachments.append({"contentType": "text/plain", "data": "V2VsbC4=", "title": title})
        yield {
            "resourceType": "DocumentReference", "id": f"note-{code}", **_kept("documentreference"),
            "status": "current", "docStatus": "final", "type": concept((LOINC, code, title)), "subject": ANA, "date": WHEN,
            "author": [RUTH],
            "category": [concept(("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note"))],
            "content": [{"attachment": attachments[-1]}], "context": {"encounter": [ref("Encounter/seen")], "period": {"start": WHEN}},
        }  # fmt: skip
    for number, (category, title) in enumerate(REPORTS.items()):
        yield {
            "resourceType": "DiagnosticReport", "id": f"report-{category}", **_kept("diagnosticreport-note"),
            "status": "final", "category": [concept((LOINC, category, title))], "code": concept((LOINC, "18748-4")), "subject": ANA,
            "encounter": ref("Encounter/seen"), "effectiveDateTime": WHEN, "issued": WHEN, "performer": [RUTH],
            "presentedForm": deepcopy(attachments[number::len(REPORTS)]),
        }  # fmt: skip


def _provenance(targets: list[str]) -> Iterator[JsonObject]:
    transmitter = "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type"
    kinds = (concept((f"{THO}provenance-participant-type", "author")), concept((transmitter, "transmitter")))
    agents = [{"type": kind, "who": RUTH, "onBehalfOf": ref("Organization/org-cir")} for kind in kinds]
    yield {
        "resourceType": "Provenance", "id": "of-the-chart", **_kept("provenance"), "target": [ref(each) for each in targets],
        "recorded": WHEN, "agent": agents,
    }  # fmt: skip


def with_needs(patient: JsonObject) -> None:
    """An interpreter is needed."""
    needed = {"system": SCT, "code": "373066001", "display": "Yes"}
    patient.setdefault("extension", []).append({"url": NEEDED, "valueCoding": needed})
