"""What a role may ever do, read and search: the table of domain.md 4.1, its corrections, and the decisions of world.md."""

from collections.abc import Iterable
from itertools import chain

DIRECTORY = frozenset({"Organization", "Practitioner", "PractitionerRole"})
DEFINITIONS = frozenset(
    {
        "ActivityDefinition", "CodeSystem", "ConceptMap", "HealthcareService", "Library", "Location", "Measure", "Medication",
        "OperationDefinition", "PlanDefinition", "Questionnaire", "SearchParameter", "StructureDefinition", "ValueSet",
    }
)  # fmt: skip
OTHER = frozenset(
    {
        "AllergyIntolerance", "Claim", "ClinicalImpression", "Composition", "Coverage", "Device", "DiagnosticReport",
        "ExplanationOfBenefit", "FamilyMemberHistory", "ImagingStudy", "Immunization", "Media", "MedicationAdministration",
        "MedicationDispense", "MedicationRequest", "MedicationStatement", "NutritionOrder", "Procedure", "RelatedPerson", "Specimen",
        "SupplyDelivery",
    }
)  # fmt: skip
CARE = OTHER | {
    "Patient", "CareTeam", "EpisodeOfCare", "CarePlan", "Goal", "Encounter", "Observation", "DocumentReference", "Condition",
    "Consent", "Provenance", "QuestionnaireResponse",
}  # fmt: skip
RISKS, TALK = {"Flag", "RiskAssessment"}, {"ServiceRequest", "Task", "Communication", "Appointment"}


def _rights(search: Iterable[str], read: Iterable[str]) -> dict[str, frozenset[str]]:
    both = frozenset({"read", "search"})
    return dict.fromkeys(chain(search, DEFINITIONS), both) | dict.fromkeys(read, frozenset({"read"}))


MATRIX = {
    "companion": _rights(DIRECTORY | CARE | RISKS | TALK | {"Subscription"}, {"Binary"}),
    "case-manager": _rights(DIRECTORY | CARE | RISKS | TALK | {"Group", "Subscription"}, {"Binary"}),
    "treatment-team": _rights(DIRECTORY | CARE | RISKS | TALK, {"Binary"}),
    "ehr": _rights(DIRECTORY | CARE | RISKS | {"Group", "Subscription"}, {"Binary"}),
    "referrer": _rights(DIRECTORY | {"ServiceRequest", "Subscription", "Task"}, ()),
    "client": _rights(CARE | TALK | {"Subscription"}, DIRECTORY | {"Binary"}),
    "auditor": _rights(DIRECTORY | {"AuditEvent", "Consent", "Provenance", "DocumentReference", "Subscription", "Task"}, {"Binary"}),
    "admin": _rights(DIRECTORY | {"CareTeam", "Subscription"}, ()),
}


def may(role: str, resource_type: str, interaction: str) -> bool:
    """Whether the role has this right on any row of the type at all; where not, the answer is 403. `interaction`: read or search."""
    return interaction in MATRIX[role].get(resource_type, ())
