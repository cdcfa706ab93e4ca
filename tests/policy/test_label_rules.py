"""The rules of labelling as a table: a code, and the labels that content with it has."""

import pytest

from recovery_api.domain.codes import ACT, CANON, ICD, LOINC, SCT, coding, concept, local
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.labels import mask
from recovery_api.policy import label_rules
from recovery_api.policy.label_rules import LabelRules, said_in_file

RULES = label_rules.load()
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"


def own(resource: JsonObject) -> int:
    return RULES.basis(resource, "", "").own


@pytest.mark.parametrize(
    ("system", "code", "labels"),
    [
        (ICD, "F10.20", "SUD ETH"), (ICD, "F19.20", "SUD ETH"), (ICD, "F1120", "SUD ETH"), (ICD, "f14.20", "SUD ETH"),
        (ICD, "F20.9", "PSY"), (ICD, "F69", "PSY"), (ICD, "F50.00", "PSY"), (ICD, "F43.12", "PSY"), (ICD, "F32.A", "PSY"),
        (ICD, "F63.0", "BH"), (ICD, "F63.89", "BH"), (ICD, "Z72.6", "BH"), (ICD, "F52.8", "PSY SEX"),
        (ICD, "R45.851", "PSY"), (ICD, "R45.850", "PSY"), (ICD, "R45.88", "PSY"), (ICD, "T14.91XA", "PSY"), (ICD, "Z91.51", "PSY"),
        (ICD, "Z71.41", "SUD ETH"), (ICD, "Z62.810", "PSY SDV VIO"), (ICD, "Z91.410", "PSY SDV VIO"), (ICD, "Z91.49", "PSY"),
        (ICD, "F09", ""), (ICD, "F70", ""), (ICD, "Z59.00", ""), (ICD, "F1", ""), (ICD, "", ""), ("http://elsewhere.example", "F10.20", ""),
        (SCT, "66590003", "SUD ETH"), (SCT, "47505003", "PSY"), (SCT, "18085000", "BH"), (SCT, "461481000124109", ""),
        (SCT, "736253002", ""),
        (LOINC, "44249-1", "PSY"), (LOINC, "44260-8", "PSY"), (LOINC, "70274-6", "PSY"), (LOINC, "93374-7", "PSY"),
        (LOINC, "101698-9", "PSY"), (LOINC, "75624-7", "SUD ETH"), (LOINC, "75626-2", "SUD ETH"), (LOINC, "82667-7", "SUD ETH"),
        (LOINC, "95541-9", ""), (HCPCS, "H0001", "SUD ETH"), (HCPCS, "H0006", "SUD ETH"), (HCPCS, "H0038", ""),
        (f"{CANON}/CodeSystem/companion-observation", "craving", "SUD ETH"), (f"{CANON}/CodeSystem/companion-observation", "mood", ""),
        (f"{CANON}/CodeSystem/companion-observation", "urge-sexual", "SEX BH"),
        (f"{CANON}/CodeSystem/companion-observation", "boundary-event", "EMP"),
        (f"{CANON}/CodeSystem/trigger", "sensory", ""), (f"{CANON}/CodeSystem/trigger", "substance-cue", "SUD ETH"),
    ],
)  # fmt: skip
def test_a_code_has_its_labels(system: str, code: str, labels: str) -> None:
    assert own({"resourceType": "Observation", "code": concept((system, code))}) == mask(labels.split())


F10 = concept((ICD, "F10.20"))


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Observation", "valueCodeableConcept": F10},
        {"resourceType": "Encounter", "reasonCode": [F10]},
        {"resourceType": "Claim", "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": F10}]},
        {"resourceType": "FamilyMemberHistory", "condition": [{"code": F10}]},
        {"resourceType": "Task", "input": [{"type": {"text": "why"}, "valueCodeableConcept": F10}]},
        {"resourceType": "DiagnosticReport", "conclusionCode": [F10]},
        {"resourceType": "CarePlan", "contained": [{"resourceType": "Condition", "id": "c", "code": F10}]},
        {"resourceType": "QuestionnaireResponse", "item": [{"linkId": "1", "answer": [{"valueCoding": coding(ICD, "F10.20")}]}]},
        {"resourceType": "QuestionnaireResponse", "item": [{"linkId": "1", "item": [{"linkId": "/72109-2/68518-0"}]}]},
        {"resourceType": "QuestionnaireResponse", "questionnaire": f"{CANON}/Questionnaire/AUDIT-C|2.0"},
        {"resourceType": "QuestionnaireResponse", "questionnaire": "http://loinc.org/q/72110-0"},
        {"resourceType": "ServiceRequest", "code": concept((HCPCS, "H0001"))},
    ],
)
def test_a_code_counts_wherever_content_stands(resource: JsonObject) -> None:
    assert own(resource) == mask(("SUD", "ETH"))


def test_what_points_elsewhere_or_says_how_is_no_content() -> None:
    care_plan = {"resourceType": "CarePlan", "addresses": [{"reference": "Condition/x"}], "meta": {"security": [coding(ACT, "SUD")]}}
    assert own(care_plan) == own({"resourceType": "Observation", "method": F10}) == 0


def test_a_signed_note_is_narrowed_and_only_a_note_takes_its_clients_families() -> None:
    note = {"resourceType": "DocumentReference", "docStatus": "preliminary", "securityLabel": [concept((ACT, "PSY"))]}
    signed = note | {"docStatus": "final", "authenticator": {"reference": "Practitioner/ruth"}}
    bare = {name: value for name, value in signed.items() if name != "securityLabel"}
    told = {name: RULES.basis(said, "", "ana") for name, said in (("draft", note), ("signed", signed), ("bare", bare))}
    assert {name: basis.collective for name, basis in told.items()} == {"draft": True, "signed": False, "bare": True}
    assert told["signed"].own == mask(("PSY",))
    assert not RULES.basis(note, "consent-form", "ana").collective
    assert not RULES.basis(note, "", "").collective
    assert RULES.basis({"resourceType": "Communication"}, "", "ana").collective
    supervision = {"resourceType": "Communication", "category": [concept(local("communication-category", "supervision"))]}
    assert not RULES.basis(supervision, "supervision", "ana").collective


def test_a_rule_with_an_unknown_label_stops_the_start() -> None:
    said = said_in_file()
    said["system"][0]["rules"][0]["labels"] = ["SECRET"]
    with pytest.raises(KeyError, match="SECRET"):
        LabelRules(said)
