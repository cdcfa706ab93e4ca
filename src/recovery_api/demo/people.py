
"""Who lives in the demo world: organizations, staff and clients."""

from pathlib import Path
from typing import NamedTuple

from recovery_api.demo.timeline import Timeline
from recovery_api.domain.codes import CANON, NUCC, SCT, THO, Coded, coding, concept, local, ref, structure
from recovery_api.fhir.json import JsonObject

ROLE_CODES: dict[str, tuple[Coded, ...]] = {
    "companion": ((NUCC, "175T00000X", "Peer Specialist"),),
    "case-manager": ((NUCC, "171M00000X", "Case Manager/Care Coordinator"), (SCT, "768832004", "Case manager")),
    "therapist": ((NUCC, "101YM0800X", "Mental Health Counselor"), (SCT, "310190000", "Mental health counselor")),
    "psychiatrist": ((NUCC, "2084P0800X", "Psychiatry Physician"),),
    "emergency-physician": ((NUCC, "207P00000X", "Emergency Medicine Physician"),),
}


class Member(NamedTuple):
    family: str
    given: str
    role: str
    organization: str
    supervisor: str | None = None


STAFF = {
    "maya": Member("Ortiz", "Maya", "companion", "org-cir", "ruth"),
    "leo": Member("Brandt", "Leo", "companion", "org-cir", "omar"),
    "ruth": Member("Abara", "Ruth", "case-manager", "org-cir"),
    "omar": Member("Haddad", "Omar", "case-manager", "org-cir"),
    "sam": Member("Doyle", "Sam", "auditor", "org-cir"),
    "kim": Member("Adler", "Kim", "admin", "org-cir"),
    "chen": Member("Chen", "Wei", "therapist", "org-riverbend"),
    "noor": Member("Rahman", "Noor", "emergency-physician", "org-riverbend"),
    "patel": Member("Patel", "Anil", "psychiatrist", "org-lakeside"),
}
ORGANIZATIONS = {  # name, kind, whether it is a Part 2 program
    "org-cir": ("Companions in Recovery", "agency", True),
    "org-riverbend": ("Riverbend Health", "health-system", False),
    "org-lakeside": ("Lakeside Clinic", "partner-clinic", True),
    "org-harbor": ("Harbor Clinic", "partner-clinic", False),
}
REALISTIC_PATIENTS = Path(__file__).parent / "data" / "patients.ndjson.gz"  # `load` takes it as it is
REALISTIC_CARE_TEAM = {"companion": "maya", "case-manager": "ruth"}
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
RACE_AND_ETHNICITY = {
    "us-core-race": ("urn:oid:2.16.840.1.113883.6.238", "2131-1", "Other Race"),
    "us-core-ethnicity": ("urn:oid:2.16.840.1.113883.6.238", "2186-5", "Not Hispanic or Latino"),
}


class People(Timeline):
    """Tells who is there."""

    def organization(self, id: str, name: str, kind: str, part2: bool) -> JsonObject:
        return self.add(
            {
                "resourceType": "Organization",
                "id": id,
                "extension": [{"url": structure("part2-program"), "valueBoolean": part2}],
                "identifier": [{"system": f"{CANON}/NamingSystem/organization", "value": id}],
                "active": True,
                "type": [concept(local("organization-type", kind))],
                "name": name,
                "telecom": [{"system": "phone", "value": "+1-555-0100", "use": "work"}],
                "address": [{"line": ["1 Example Street"], "city": "Anytown", "state": "CA", "postalCode": "90000", "country": "US"}],
            }
        )

    def staff(self, id: str, member: Member, supervised: JsonObject | None = None) -> JsonObject:
        """A Practitioner and its PractitionerRole, which is returned; `supervised` is the Period of the supervision."""
        self.add(
            {
                "resourceType": "Practitioner",
                "id": id,
                "identifier": [{"system": f"{CANON}/NamingSystem/staff", "value": id}],
                "active": True,
                "name": [{"use": "official", "family": member.family, "given": [member.given]}],
                "telecom": [{"system": "email", "value": f"{id}@example.org", "use": "work"}],
            }
        )
        supervision = [
            {"url": "supervisor", "valueReference": ref(f"PractitionerRole/{member.supervisor}")},
            {"url": "period", "valuePeriod": supervised or {"start": self.on("2026-01-01")}},
        ]
        return self.add(
            {
                "resourceType": "PractitionerRole",
                "id": id,
                "extension": [{"url": structure("supervised-by"), "extension": supervision}] if member.supervisor else None,
                "active": True,
                "period": {"start": self.on("2026-01-01")},
                "practitioner": ref(f"Practitioner/{id}"),
                "organization": ref(f"Organization/{member.organization}"),
                "code": [concept(*ROLE_CODES.get(member.role, ()), local("staff-role", member.role))],
                "telecom": [{"system": "phone", "value": "+1-555-0101", "use": "work"}],
            }
        )

    def patient(self, id: str, name: tuple[str, str], gender: str, birth: str, number: int, link: str | None = None) -> JsonObject:
        """A client; `name` is given and family, `link` the id of a partner clinic's own copy of the same person."""
        given, family = name
        return self.add(
            {
                "resourceType": "Patient",
                "id": id,
                "extension": [
                    {
                        "url": US_CORE + url,
                        "extension": [
                            {"url": "ombCategory", "valueCoding": coding(*value)},
                            {"url": "text", "valueString": value[2]},
                        ],
                    }
                    for url, value in RACE_AND_ETHNICITY.items()
                ],
                "identifier": [
                    {
                        "use": "usual",
                        "type": concept((THO + "v2-0203", "MR", "Medical record number")),
                        "system": f"{CANON}/NamingSystem/client-number",
                        "value": f"CIR-{number}",
                    },
                    {
                        "type": concept((THO + "v2-0203", "SS", "Social Security number")),
                        "system": "http://hl7.org/fhir/sid/us-ssn",
                        "value": f"987-65-{number}",
                    },
                ],
                "active": True,
                "name": [{"use": "official", "family": family, "given": [given]}],
                "telecom": [{"system": "phone", "value": f"+1-555-{number}", "use": "mobile"}],
                "gender": gender,
                "birthDate": birth,
                "address": [
                    {
                        "use": "home",
                        "line": [f"{number} Example Street"],
                        "city": "Anytown",
                        "state": "CA",
                        "postalCode": "90000",
                        "country": "US",
                    }
                ],
                "communication": [{"language": concept(("urn:ietf:bcp:47", "en", "English")), "preferred": True}],
                "link": [{"other": ref(f"Patient/{link}"), "type": "seealso"}] if link else None,
            }
        )
