from typing import Any

import pytest

from recovery_api.fhir.errors import Unauthorized
from recovery_api.identity.actor import ROLES, Actor, actor
from recovery_api.identity.claims import Claims
from recovery_api.identity.scopes import UNRESTRICTED, Condition
from tests.identity.conftest import BASE, PUBLIC_URL, T0


def caller(scope: str, **claims: Any) -> Actor:
    return actor(Claims(PUBLIC_URL, "s", "j", T0, T0 + 1, scope, **claims), BASE)


def test_a_companion_is_a_practitioner() -> None:
    maya = caller("recovery/companion user/Encounter.crus", fhir_user="Practitioner/maya", organization="org-cir", client_id="app")
    assert (maya.role, maya.holder, maya.organization, maya.client_id) == ("companion", "Practitioner/maya", "Organization/org-cir", "app")
    assert (maya.patient, maya.purpose, maya.medical_personnel, maya.jti, maya.expires) == (None, "CAREMGT", False, "j", T0 + 1)
    assert maya.allows("Encounter", "u") == (UNRESTRICTED,)
    assert caller("recovery/companion", fhir_user=f"{BASE}/Practitioner/maya").holder == "Practitioner/maya"


def test_a_system_is_its_organizations() -> None:
    ehr = caller("recovery/ehr system/*.rs", client_id="sys-riverbend", organization=f"{BASE}/Organization/org-riverbend")
    assert (ehr.holder, ehr.organization, ehr.purpose) == ("client:sys-riverbend", "Organization/org-riverbend", "TREAT")
    assert caller("recovery/ehr", client_id="x", organization="o", fhir_user="Device/ehr").holder == "Device/ehr"


def test_a_client_is_bound_to_their_own_record() -> None:
    ana = caller("recovery/client patient/*.rs", fhir_user="Patient/ana")
    assert (ana.holder, ana.patient) == ("Patient/ana", "ana")
    assert ana.allows("Observation", "r") == (Condition(in_patient=True),)
    mother = caller("recovery/client patient/*.rs", fhir_user="RelatedPerson/mother", patient="Patient/ana")
    assert (mother.holder, mother.patient) == ("RelatedPerson/mother", "ana")


def test_patient_scopes_open_nothing_without_a_patient() -> None:
    scope = "recovery/companion patient/Observation.rs user/Observation.r?code=a"
    assert caller(scope, fhir_user="Practitioner/maya").allows("Observation", "r") == (Condition("code=a"),)
    assert caller(scope, fhir_user="Practitioner/maya").allows("Observation", "s") == ()
    assert caller(scope, fhir_user="Practitioner/maya", patient="ana").allows("Observation", "s") == (Condition(in_patient=True),)


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("recovery/companion system/*.rs", {"fhir_user": "Practitioner/maya"}),
        ("recovery/auditor system/*.rs", {"fhir_user": "Practitioner/sam"}),
        ("recovery/ehr user/*.rs patient/*.rs", {"client_id": "x", "organization": "o", "patient": "ana"}),
        ("recovery/client system/*.rs", {"fhir_user": "Patient/ana"}),
    ],
)
def test_scopes_of_a_context_that_the_role_has_not_open_nothing(scope: str, claims: dict[str, Any]) -> None:
    assert caller(scope, **claims).allows("Patient", "r") == ()


def test_the_purpose_of_use_is_the_tokens_where_it_names_one() -> None:
    assert caller("recovery/treatment-team", fhir_user="Practitioner/chen").purpose == "TREAT"
    assert caller("recovery/treatment-team", fhir_user="Practitioner/chen", purpose_of_use="BTG").purpose == "BTG"


@pytest.mark.parametrize("role", ROLES)
def test_two_roles_make_no_caller(role: str) -> None:
    other = "admin" if role != "admin" else "auditor"
    for scope in (f"recovery/{role} recovery/{other}", f"recovery/{role} recovery/nurse", f"recovery/{role} recovery/"):
        for user in ("Practitioner/x", "Patient/x"):
            with pytest.raises(Unauthorized):
                caller(scope, fhir_user=user, client_id="x", organization="o")


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("user/*.cruds", {"fhir_user": "Practitioner/maya"}),
        ("recovery/nurse", {"fhir_user": "Practitioner/maya"}),
        ("recovery/Companion", {"fhir_user": "Practitioner/maya"}),
        ("recovery/companion", {}),
        ("recovery/companion", {"client_id": "x", "organization": "o"}),
        ("recovery/companion", {"fhir_user": "Patient/ana"}),
        ("recovery/companion", {"fhir_user": "PractitionerRole/maya"}),
        ("recovery/companion", {"fhir_user": "maya"}),
        ("recovery/companion", {"fhir_user": "https://other.test/fhir/Practitioner/maya"}),
        ("recovery/companion", {"fhir_user": f"{BASE}x/Practitioner/maya"}),
        ("recovery/companion", {"fhir_user": "Practitioner/maya/_history/1"}),
        ("recovery/companion", {"fhir_user": "Practitioner/maya\n"}),
        ("recovery/companion", {"fhir_user": "Practitioner/maya", "organization": "Patient/x"}),
        ("recovery/companion", {"fhir_user": "Practitioner/maya", "patient": "Group/x"}),
        ("recovery/companion", {"fhir_user": "Practitioner/maya", "patient": "a b"}),
        ("recovery/ehr", {"client_id": "x"}),
        ("recovery/ehr", {"organization": "o"}),
        ("recovery/ehr", {"fhir_user": "Practitioner/maya", "client_id": "x", "organization": "o"}),
        ("recovery/referrer", {"client_id": "x", "organization": "Organization/"}),
        ("recovery/client", {"patient": "ana"}),
        ("recovery/client", {"fhir_user": "Practitioner/maya", "patient": "ana"}),
        ("recovery/client", {"fhir_user": "Patient/ana", "patient": "ben"}),
    ],
)
def test_claims_that_lack_what_the_role_needs_make_no_caller(scope: str, claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        caller(scope, **claims)
