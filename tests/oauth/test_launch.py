"""Launching an app: from the authorization request to a token that opens what was granted (checklist B, C)."""

from tests.oauth.apps import Smart

SCOPE = "openid fhirUser launch/patient online_access user/Patient.rs user/Observation.rs"


async def test_a_companion_signs_in_chooses_a_patient_and_the_app_reads_the_record(smart: Smart) -> None:
    said = await smart.granted(SCOPE)
    assert said["token_type"].lower() == "bearer"
    assert said["patient"] == "ana"
    assert (await smart.fhir(said["access_token"]).get(f"Patient/{said['patient']}")).status == 200
