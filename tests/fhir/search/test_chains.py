"""Chains and `_has`: https://hl7.org/fhir/R4/search.html#chaining, #has."""

import pytest

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.json import JsonObject
from tests.fhir.search.searching import concept, observation, patient, search

WORLD: list[JsonObject] = [
    patient(
        "p",
        name=[{"family": "Peters"}],
        managingOrganization={"reference": "Organization/o"},
        generalPractitioner=[{"reference": "Practitioner/dr"}],
    ),
    patient("q", name=[{"family": "Quinn"}]),
    {"resourceType": "Organization", "id": "o", "name": "Harbour", "partOf": {"reference": "Organization/top"}},
    {"resourceType": "Organization", "id": "top", "name": "City"},
    {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Doe"}]},
    {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "code": concept("|walkers")},
    observation("of-p", subject={"reference": "Patient/p"}, code=concept("|weight"), performer=[{"reference": "Practitioner/dr"}]),
    observation("of-q", subject={"reference": "Patient/q"}, code=concept("|height")),
    observation("of-g", subject={"reference": "Group/g"}, code=concept("|weight")),
    {"resourceType": "AuditEvent", "id": "a", "entity": [{"what": {"reference": "Observation/of-p"}}], "action": "R"},
    {"resourceType": "Encounter", "id": "e", "location": [{"location": {"reference": "Location/room"}}]},
    {"resourceType": "Location", "id": "room", "name": "Room", "partOf": {"reference": "Location/ward"}},
    {"resourceType": "Location", "id": "ward", "name": "Ward", "partOf": {"reference": "Location/house"}},
    {"resourceType": "Location", "id": "house", "name": "House"},
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Observation?subject:Patient.name=peter", {"of-p"}),
        ("Observation?patient.name=peter", {"of-p"}),
        ("Observation?subject.name=quinn", {"of-q"}),
        ("Observation?subject:Group.code=walkers", {"of-g"}),
        ("Observation?subject.identifier:missing=true", {"of-p", "of-q", "of-g"}),
        ("Observation?subject:Patient.organization.name=harbour", {"of-p"}),
        ("Observation?patient.organization.partof.name:contains=CIT", {"of-p"}),
        ("Observation?patient.organization=o", {"of-p"}),
        ("Observation?patient._id=p", {"of-p"}),
        ("Observation?patient.name=peter&code=height", set()),
        ("Observation?performer:Practitioner.family=doe", {"of-p"}),
        ("Patient?_has:Observation:patient:code=weight", {"p"}),
        ("Patient?_has:Observation:subject:code=weight,height", {"p", "q"}),
        ("Patient?_has:Observation:patient:_has:AuditEvent:entity:action=R", {"p"}),
        ("Patient?_has:Observation:patient:code:not=weight", {"q"}),
        ("Patient?_has:Observation:patient:performer.family=doe", {"p"}),
        ("Group?_has:Observation:subject:code=weight", {"g"}),
        ("Organization?_has:Patient:organization:_has:Observation:patient:code=weight", {"o"}),
        ("Observation?patient._has:Observation:patient:code=height", {"of-q"}),
        ("Encounter?location:below=Location/house", {"e"}),
        ("Encounter?location:below=room", {"e"}),
        ("Encounter?location:below=Location/other", set()),
        ("Encounter?location:above=Location/room", {"e"}),
        ("Location?partof:above=Location/room", {"room", "ward"}),
    ],
)
def test_conditions_reach_along_references(query: str, found: set[str]) -> None:
    assert search(query, *WORLD) == found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Observation?code.name=x", "'code' is not a reference"),
        ("Observation?subject.nmae=x", "'nmae' is not known"),
        ("Observation?subject:Practitioner.name=x", "does not point at 'Practitioner'"),
        ("Observation?subject:Patient.birthdate=x", "'subject:Patient.birthdate': 'x' is not a date"),
        ("Patient?_has:Observation:patient=x", "write _has:Type:reference:parameter"),
        ("Patient?_has:Nothing:patient:code=x", "'Nothing' is not a type that is served"),
        ("Patient?_has:Observation:encounter:code=x", "does not point at Patient"),
        ("Patient?_has:Observation:code:code=x", "does not point at Patient"),
        ("Patient?_has:Binary:security-context:_content=x", "'security-context' is not known"),
        ("Encounter?" + "part-of." * 5 + "status=x", "a chain has at most 4 links"),
        ("Encounter?" + "_has:Encounter:part-of:" * 5 + "status=x", "nested at most 4 times"),
    ],
)
def test_what_leads_nowhere_is_refused(query: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        search(query)
    assert said in str(refused.value)
