"""Literal references are told apart, and found wherever they stand."""
import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.references import Kind, Literal, parse_reference, references, relinked, urn_holders

BASE = "https://server.example.org/fhir"
UUID = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient/1", Literal(Kind.LOCAL, "Patient/1", "Patient", "1")),
        ("Patient/1/_history/2", Literal(Kind.LOCAL, "Patient/1/_history/2", "Patient", "1", "2")),
        (f"{BASE}/Patient/1", Literal(Kind.LOCAL, "Patient/1", "Patient", "1")),
        ("https://elsewhere.example.org/fhir/Patient/1", Literal(Kind.ELSEWHERE, "https://elsewhere.example.org/fhir/Patient/1")),
        ("#p", Literal(Kind.CONTAINED, "#p")),
        ("#", Literal(Kind.CONTAINED, "#")),
        (UUID, Literal(Kind.URN, UUID)),
        ("urn:oid:1.2.3", Literal(Kind.URN, "urn:oid:1.2.3")),
        ("Patient?identifier=a|b", Literal(Kind.CONDITIONAL, "Patient?identifier=a|b", "Patient")),
        ("Patient", None),
        ("Unicorn/1", None),
        ("Patient/a b", None),
        ("", None),
        (f"{BASE}/Unicorn/1", None),
    ],
)
def test_a_literal_reference_is_taken_apart(text: str, expected: Literal | None) -> None:
    assert parse_reference(text, BASE) == expected


def test_the_key_of_a_local_reference_has_no_version() -> None:
    local, urn = parse_reference("Patient/1/_history/2"), parse_reference(UUID)
    assert local is not None
    assert urn is not None
    assert (local.key, urn.key) == ("Patient/1", None)


def test_references_are_found_in_backbones_contained_resources_and_extensions() -> None:
    resource: JsonObject = {
        "resourceType": "Observation",
        "subject": {"reference": "Patient/1"},
        "performer": [{"display": "nobody"}, {"reference": "Practitioner/1"}],
        "contained": [{"resourceType": "Device", "patient": {"reference": "Patient/2"}}],
        "_issued": {"extension": [{"url": "http://x.org", "valueReference": {"reference": "Location/1"}}]},
    }
    assert [(place, holder["reference"]) for place, holder in references(resource)] == [
        ("Observation.subject", "Patient/1"),
        ("Observation.performer[1]", "Practitioner/1"),
        ("Observation.contained[0].patient", "Patient/2"),
        ("Observation._issued.extension[0].valueReference", "Location/1"),
    ]


def test_a_urn_is_rewritten_in_references_addresses_and_narrative_links_but_not_in_plain_strings() -> None:
    resource: JsonObject = {
        "resourceType": "Task",
        "text": {"status": "generated", "div": f"<div xmlns='http://www.w3.org/1999/xhtml'><a href='{UUID}'>{UUID}</a></div>"},
        "description": UUID,
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": UUID}],
        "for": {"reference": UUID},
        "instantiatesUri": UUID,
        "extension": [{"url": "http://x.org", "valueUri": UUID}, {"url": "http://x.org", "valueString": UUID}],
        "input": [{"type": {"text": "a"}, "valueReference": {"reference": UUID}}],
        "contained": [{"resourceType": "Patient", "managingOrganization": {"reference": UUID}}],
    }
    found = [(key, text) for _, key, text in urn_holders(resource) if text.startswith("urn:uuid")]
    assert found == [("reference", UUID), ("instantiatesUri", UUID), ("valueUri", UUID), ("reference", UUID), ("reference", UUID)]
    narrative = next(text for _, key, text in urn_holders(resource) if key == "div")
    assert relinked(narrative, {UUID: "Task/1"}).endswith(f"<a href='Task/1'>{UUID}</a></div>")
