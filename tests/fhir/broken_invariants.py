"""A resource that breaks each invariant, and where: (key, place, resource). They hold only what the rule needs."""
import re
from decimal import Decimal

from recovery_api.fhir.json import Json, JsonObject

Broken = tuple[str, str, JsonObject]


def _of(type_: str, **members: Json) -> JsonObject:
    return {"resourceType": type_, **members}


def _in(key: str, place: str, value: Json) -> Broken:
    """The value at a place such as "Patient.name[0].period" or "Observation.value:Ratio", whose FHIRPath is without ":Ratio"."""
    root, *names = place.split(".")
    for name in reversed(names):
        value = {name[:-3]: [value]} if name.endswith("[0]") else {name.replace(":", ""): value}
    return key, re.sub(":[A-Za-z]+", "", place), {"resourceType": root, **value}


def _item(key: str, **members: Json) -> Broken:
    return _in(key, "Questionnaire.item[0]", {"linkId": "1", "type": "string", **members})


def _element(key: str, inside: str = "", /, **members: Json) -> Broken:
    _, place, resource = _in(key, "StructureDefinition.snapshot.element[0]", {"id": "Patient", "path": "Patient", **members})
    return key, f"{place}{inside}", resource


def _repeat(key: str, **members: Json) -> Broken:
    return _in(key, "Goal.target[0].detail:Range.extension[0].value:Timing.repeat", members)


def _structure(key: str, inside: str = "", /, **members: Json) -> Broken:
    return key, f"StructureDefinition{inside}", _of("StructureDefinition", **members)


_UCUM = "http://unitsofmeasure.org"
_HERE = "Observation.extension[0]"
_A, _B = {"id": "Patient", "path": "Patient"}, {"id": "Patient.name", "path": "Patient.name"}
_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_INSIDE = {"resourceType": "Patient", "id": "a"}


def _quantity(key: str, type_: str, **members: Json) -> Broken:
    return _in(key, f"{_HERE}.value:{type_}", members)


BROKEN: list[Broken] = [
    # every resource
    ("dom-2", "Task", _of("Task", contained=[{**_INSIDE, "contained": [_INSIDE]}])),
    ("dom-3", "Task", _of("Task", contained=[_INSIDE])),
    ("dom-4", "Task", _of("Task", contained=[{**_INSIDE, "meta": {"versionId": "1"}}])),
    ("dom-5", "Task", _of("Task", contained=[{**_INSIDE, "meta": {"security": [{"code": "R"}]}}])),
    # data types
    _in("ext-1", "Patient.extension[0]", {"url": "http://x"}),
    _in("ext-1", "Patient.extension[0]", {"url": "http://x", "valueString": "x", "extension": [{"url": "y", "valueString": "y"}]}),
    _in("ref-1", "Task.for", {"reference": "#nobody"}),
    _in("per-1", "Encounter.period", {"start": "2024-05-02", "end": "2024-05-01"}),
    _in("per-1", "Encounter.period", {"start": "2024-05-01T10:00:00Z", "end": "2024-05-01T11:00:00+02:00"}),
    _in("qty-3", "Observation.component[0].value:Quantity", {"value": 1, "code": "mg"}),
    _in("sqty-1", "Observation.referenceRange[0].low", {"value": 1, "comparator": "<"}),
    _in("att-1", "DocumentReference.content[0].attachment", {"data": "YQ=="}),
    _in("cpt-2", "Patient.telecom[0]", {"value": "1"}),
    _in("rng-2", "Goal.target[0].detail:Range", {"low": {"value": 2}, "high": {"value": 1}}),
    _in("rat-1", "Observation.value:Ratio", {"numerator": {"value": 1}}),
    _in("rat-1", "Observation.value:Ratio", {"id": "x"}),
    _quantity("age-1", "Age", value=-1, code="a", system=_UCUM),
    _quantity("age-1", "Age", value=1),
    _quantity("cnt-3", "Count", value=1, code="mg", system=_UCUM),
    _quantity("cnt-3", "Count", value=Decimal("1.5"), code="1", system=_UCUM),
    _quantity("dis-1", "Distance", value=1, code="m", system="http://other"),
    _quantity("drt-1", "Duration", value=1, code="h", system="http://other"),
    _repeat("tim-1", duration=1),
    _repeat("tim-2", period=1),
    _repeat("tim-4", duration=-1, durationUnit="h"),
    _repeat("tim-5", period=-1, periodUnit="h"),
    _repeat("tim-6", periodMax=1),
    _repeat("tim-7", durationMax=1),
    _repeat("tim-8", countMax=1),
    _repeat("tim-9", offset=1),
    _repeat("tim-9", offset=1, when=["CM"]),
    _repeat("tim-10", timeOfDay=["10:00:00"], when=["CM"]),
    _in("drq-1", f"{_HERE}.value:DataRequirement.codeFilter[0]", {"path": "a", "searchParam": "b"}),
    _in("drq-2", f"{_HERE}.value:DataRequirement.dateFilter[0]", {"id": "x"}),
    _in("exp-1", f"{_HERE}.value:Expression", {"language": "text/fhirpath"}),
    _in("trd-1", "PlanDefinition.action[0].trigger[0]", {"data": [{"type": "Task"}], "timingDate": "2024"}),
    _in("trd-2", "PlanDefinition.action[0].trigger[0]", {"condition": {"expression": "true"}}),
    _in("trd-3", "PlanDefinition.action[0].trigger[0]", {"type": "named-event"}),
    # resources
    ("ait-1", "AllergyIntolerance", _of("AllergyIntolerance", code={"text": "x"})),
    ("ait-2", "AllergyIntolerance", _of(
        "AllergyIntolerance",
        clinicalStatus={"text": "x"},
        verificationStatus={"coding": [{"code": "entered-in-error", "system": _ALLERGY}]},
    )),
    ("app-2", "Appointment", _of("Appointment", status="proposed", start="2024-05-01T10:00:00Z")),
    ("app-3", "Appointment", _of("Appointment", status="booked")),
    ("app-4", "Appointment", _of("Appointment", status="proposed", cancelationReason={"text": "x"})),
    _in("app-1", "Appointment.participant[0]", {"status": "accepted"}),
    _in("sev-1", "AuditEvent.entity[0]", {"name": "n", "query": "YQ=="}),
    _in("cpl-3", "CarePlan.activity[0]", {"detail": {"status": "scheduled"}, "reference": {"reference": "Task/1"}}),
    _in("ctm-1", "CareTeam.participant[0]", {"onBehalfOf": {"reference": "Organization/1"}, "member": {"reference": "Patient/1"}}),
    ("csd-1", "CodeSystem", _of("CodeSystem", concept=[{"code": "a", "concept": [{"code": "b"}]}, {"code": "b"}])),
    _in("cmp-1", "Composition.section[0]", {"title": "x"}),
    _in("cmp-2", "Composition.section[0]", {"emptyReason": {"text": "x"}, "entry": [{"reference": "Task/1"}]}),
    _in("cmd-1", "ConceptMap.group[0].element[0].target[0]", {"equivalence": "narrower"}),
    _in("cmd-2", "ConceptMap.group[0].unmapped", {"mode": "fixed"}),
    _in("cmd-3", "ConceptMap.group[0].unmapped", {"mode": "other-map"}),
    ("con-4", "Condition", _of("Condition", abatementString="x", clinicalStatus={"coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]})),
    ("con-5", "Condition", _of("Condition", clinicalStatus={"text": "x"}, verificationStatus={"coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "entered-in-error"}]})),
    _in("con-1", "Condition.stage[0]", {"type": {"text": "x"}}),
    _in("con-2", "Condition.evidence[0]", {"id": "x"}),
    ("ppc-1", "Consent", _of("Consent", status="active")),
    *((key, "Consent", _of("Consent", policyRule={"text": "x"}, scope={"coding": [{"system": "something", "code": code}]}))
      for key, code in (("ppc-2", "patient-privacy"), ("ppc-3", "research"), ("ppc-4", "adr"), ("ppc-5", "treatment"))),
    ("fhs-1", "FamilyMemberHistory", _of("FamilyMemberHistory", ageString="x", bornString="y")),
    ("fhs-2", "FamilyMemberHistory", _of("FamilyMemberHistory", estimatedAge=True)),
    _in("gol-1", "Goal.target[0]", {"detailString": "x"}),
    ("grp-1", "Group", _of("Group", actual=False, member=[{"entity": {"reference": "Patient/1"}}])),
    _in("imm-1", "Immunization.education[0]", {"presentationDate": "2024"}),
    ("mea-1", "Measure", _of("Measure", group=[{"stratifier": [{"id": "x"}]}])),
    ("mrp-1", "MeasureReport", _of("MeasureReport", type="data-collection", group=[{"id": "x"}])),
    ("mrp-2", "MeasureReport", _of("MeasureReport", type="summary", group=[{"stratifier": [{"stratum": [{"id": "x"}]}]}])),
    _in("mad-1", "MedicationAdministration.dosage", {"text": "x"}),
    ("mdd-1", "MedicationDispense", _of("MedicationDispense", whenPrepared="2024-05-02", whenHandedOver="2024-05-01")),
    ("obs-6", "Observation", _of("Observation", valueInteger=1, dataAbsentReason={"text": "x"})),
    ("obs-7", "Observation", _of(
        "Observation", valueInteger=1, code={"coding": [{"code": "a"}]}, component=[{"code": {"coding": [{"code": "a"}]}}],
    )),
    _in("obs-3", "Observation.referenceRange[0]", {"age": {"low": {"value": 1}}}),
    _in("obs-3", "Observation.component[0].referenceRange[0]", {"age": {"low": {"value": 1}}}),
    ("org-1", "Organization", _of("Organization", active=True)),
    _in("org-3", "Organization.telecom[0]", {"use": "home"}),
    _in("org-2", "Organization.address[0]", {"use": "home"}),
    _in("pat-1", "Patient.contact[0]", {"gender": "male"}),
    _in("opd-1", "OperationDefinition.parameter[0]", {"name": "x"}),
    _in("opd-2", "OperationDefinition.parameter[0]", {"name": "x", "type": "code", "searchType": "token"}),
    _in("opd-3", "OperationDefinition.parameter[0]", {"name": "x", "type": "string", "targetProfile": ["http://x"]}),
    ("que-2", "Questionnaire", _of("Questionnaire", item=[{"linkId": "1"}, {"linkId": "2", "item": [{"linkId": "1"}]}])),
    _item("que-1", type="group"),
    _item("que-1", type="display", item=[{"linkId": "2", "type": "display"}]),
    _item("que-3", type="display", code=[{"code": "a"}]),
    _item("que-4", answerOption=[{"valueInteger": 1}], answerValueSet="http://x"),
    _item("que-5", type="boolean", answerValueSet="http://x"),
    _item("que-6", type="display", required=True),
    _item("que-8", type="display", initial=[{"valueString": "x"}]),
    _item("que-9", type="display", readOnly=True),
    _item("que-10", type="date", maxLength=1),
    _item("que-11", answerOption=[{"valueInteger": 1}], initial=[{"valueInteger": 1}]),
    _item("que-12", enableWhen=[{"question": "1"}, {"question": "2"}, {"question": "3"}]),
    _item("que-13", initial=[{"valueString": "x"}, {"valueString": "y"}]),
    _in("que-7", "Questionnaire.item[0].enableWhen[0]", {"operator": "exists", "answerString": "x"}),
    _in("qrs-1", "QuestionnaireResponse.item[0]", {"answer": [{"valueInteger": 1}], "item": [{"linkId": "2"}]}),
    _in("ras-2", "RiskAssessment.prediction[0]", {"probabilityDecimal": 101}),
    _in("ras-1", "RiskAssessment.prediction[0].probability:Range", {"low": {"value": 1}}),
    ("prr-1", "ServiceRequest", _of("ServiceRequest", orderDetail=[{"text": "x"}])),
    ("inv-1", "Task", _of("Task", authoredOn="2024-05-02", lastModified="2024-05-01")),
    _in("vsd-1", "ValueSet.compose.include[0]", {"version": "1"}),
    _in("vsd-2", "ValueSet.compose.include[0]", {"valueSet": ["http://x"], "concept": [{"code": "a"}]}),
    _in("vsd-3", "ValueSet.compose.include[0]", {"system": "http://x", "concept": [{"code": "a"}], "filter": [{"value": "x"}]}),
    _in("vsd-6", "ValueSet.expansion.contains[0]", {"abstract": True}),
    _in("vsd-9", "ValueSet.expansion.contains[0]", {"display": "x"}),
    _in("vsd-10", "ValueSet.expansion.contains[0]", {"code": "a"}),
    # StructureDefinition and its elements
    _structure("sdf-1", derivation="specialization", snapshot={"element": [_A, _A]}),
    _structure("sdf-15a", kind="resource", differential={"element": [{"path": "Patient", "type": [{"code": "Patient"}]}]}),
    _structure("sdf-4", abstract=False),
    _structure("sdf-5", type="Extension", derivation="constraint"),
    _structure("sdf-6", abstract=True),
    _structure("sdf-9", snapshot={"element": [{**_A, "label": "x"}]}),
    _structure("sdf-11", kind="resource", type="Task", snapshot={"element": [_A]}),
    _structure("sdf-14", snapshot={"element": [{"path": "Patient"}]}),
    _structure("sdf-15", kind="resource", snapshot={"element": [{**_A, "type": [{"code": "Patient"}]}]}),
    _structure("sdf-16", snapshot={"element": [_A, _A]}),
    _structure("sdf-17", differential={"element": [_A, _A]}),
    _structure("sdf-18", type="Task", contextInvariant=["true"]),
    _structure("sdf-19", url="http://hl7.org/fhir/StructureDefinition/x", differential={"element": [{**_A, "type": [{"code": "a b"}]}]}),
    _structure("sdf-21", derivation="constraint", differential={"element": [{**_A, "defaultValueString": "x"}]}),
    _structure("sdf-22", url="http://hl7.org/fhir/StructureDefinition/x", snapshot={"element": [{**_A, "defaultValueString": "x"}]}),
    _structure("sdf-23", snapshot={"element": [{**_A, "sliceName": "x"}]}),
    _in("sdf-2", "StructureDefinition.mapping[0]", {"identity": "x"}),
    _in("sdf-3", "StructureDefinition.snapshot", {"element": [_A]}),
    _structure("sdf-8", ".snapshot", type="Patient", snapshot={"element": [_A, {**_B, "path": "Task.for"}]}),
    _structure("sdf-8a", ".differential", type="Patient", differential={"element": [_A, {**_B, "path": "Task.for"}]}),
    _in("sdf-8b", "StructureDefinition.snapshot", {"element": [_A]}),
    _in("sdf-10", "StructureDefinition.snapshot.element[0]", {"path": "Patient", "binding": {"strength": "required"}}),
    _in("sdf-20", "StructureDefinition.differential", {"element": [{"path": "Patient", "slicing": {"description": "x"}}]}),
    _element("eld-1", ".slicing", slicing={"rules": "open"}),
    _element("eld-2", min=2, max="1"),
    _element("eld-3", ".max", max="-1"),
    _in("eld-4", "StructureDefinition.snapshot.element[0].type[0]", {"code": "string", "aggregation": ["bundled"]}),
    _element("eld-5", contentReference="#x", maxLength=1),
    _element("eld-6", fixedString="x", type=[{"code": "string"}, {"code": "code"}]),
    _element("eld-7", patternString="x", type=[{"code": "string"}, {"code": "code"}]),
    _element("eld-8", patternString="x", fixedString="x"),
    _element("eld-12", ".binding", binding={"valueSet": "x"}),
    _element("eld-13", type=[{"code": "string"}, {"code": "string"}]),
    _element("eld-14", constraint=[{"key": "a"}, {"key": "a"}]),
    _element("eld-15", defaultValueString="x", meaningWhenMissing="y"),
    _element("eld-16", sliceName="a b"),
    _in("eld-17", "StructureDefinition.snapshot.element[0].type[0]", {"code": "string", "targetProfile": ["http://x"]}),
    _element("eld-18", isModifier=True),
    _element("eld-19", path=" "),
    _element("eld-22", sliceIsConstraining=True),
]
