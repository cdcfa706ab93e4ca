"""The oracle against the table "Who sees what" of world.md."""

import pytest

from recovery_api.demo.world import T0, fixture
from tests.callers import CALLERS
from tests.contract.matrix import DEFINITIONS, DIRECTORY, MATRIX, may
from tests.contract.oracle import Oracle

WORLD = {(each["resourceType"], each["id"]): each for each in fixture(T0)}
TYPE_OF = {
    "cond": "Condition", "ct": "CareTeam", "eoc": "EpisodeOfCare", "cp": "CarePlan", "g": "Goal", "e": "Encounter", "o": "Observation",
    "d": "DocumentReference", "form": "DocumentReference", "b": "Binary", "prov": "Provenance", "c": "Consent", "task": "Task",
    "sr": "ServiceRequest",
}  # fmt: skip
ANA = """Patient/ana ct-ana eoc-ana cond-ana-aud cond-ana-ptsd cp-ana cp-ana-safety g-ana-1 e-ana-1 e-ana-2 o-ana-mood o-ana-craving
    o-ana-trigger o-ana-pref d-ana-1 b-ana-1 prov-d-ana-1 c-ana"""
ANA_INSIDE = ANA + " d-ana-2 b-ana-2 o-ana-2-mood form-ana"
BEN = """Patient/ben ct-ben eoc-ben cond-ben-gam cond-ben-dep cp-ben g-ben-1 e-ben-1 o-ben-urge o-ben-mood d-ben-1 b-ben-1 prov-d-ben-1
    c-ben"""
CORA = """Patient/cora ct-cora eoc-cora cond-cora-an cond-cora-oud cp-cora g-cora-1 e-cora-1 d-cora-1 b-cora-1 prov-d-cora-1
    d-cora-2 b-cora-2 prov-d-cora-2 c-cora form-cora"""
DAN = """Patient/dan ct-dan eoc-dan cond-dan-coc cp-dan g-dan-1 e-dan-1 o-dan-craving o-dan-mood d-dan-1 b-dan-1 prov-d-dan-1 c-dan
    form-dan prov-c-dan-revoked"""
CORA_SHARED = """Patient/cora ct-cora cond-cora-an cp-cora g-cora-1 e-cora-1 d-cora-1 b-cora-1 prov-d-cora-1 c-cora"""
EVE = "Patient/eve ct-eve eoc-eve cond-eve-alc cp-eve g-eve-1"
REFERRAL = "task-ls-401 sr-ls-401"
GROUPS = "Group/riverbend Group/lakeside Group/harbor"
TASKS = "task-review-ana-1 task-esc-ana-1 task-checkin-maya"
CONSENTS = "c-ana c-ben c-cora c-dan"
FORMS = "form-ana form-ben form-cora form-dan"
PROVENANCES = "prov-d-ana-1 prov-d-ben-1 prov-d-cora-1 prov-d-cora-2 prov-d-dan-1 prov-c-dan-revoked"
SEES = {  # beside the directory
    "maya": f"{ANA_INSIDE} {CORA} {EVE} {TASKS}",
    "leo": f"{BEN} form-ben {DAN}",
    "ruth": f"{ANA_INSIDE} {CORA} {EVE} {TASKS} {REFERRAL} Patient/eve-ls {GROUPS}",
    "omar": f"{BEN} form-ben {DAN} {REFERRAL} Patient/eve-ls {GROUPS}",
    "chen": f"{ANA} {BEN} {CORA_SHARED}",
    "sys-riverbend": f"{ANA} {BEN} {CORA_SHARED} Group/riverbend",
    "patel": "",
    "noor": "",
    "sys-lakeside": REFERRAL,
    "app-ana": f"{ANA} form-ana",
    "sam": f"{CONSENTS} {FORMS} {PROVENANCES}",
    "kim": "ct-ana ct-ben ct-cora ct-dan ct-eve",
}


def named(text: str) -> set[str]:
    return {each if "/" in each else f"{TYPE_OF[each.split('-')[0]]}/{each}" for each in text.split()}


@pytest.mark.parametrize("name", SEES)
def test_the_oracle_says_what_the_table_says(name: str):
    seen = Oracle(WORLD, T0).visible(CALLERS[name])
    assert {each for each in seen if each.split("/")[0] not in DIRECTORY} == named(SEES[name])


@pytest.mark.parametrize("name", SEES)
def test_everybody_sees_the_directory(name: str):
    seen = Oracle(WORLD, T0).visible(CALLERS[name])
    assert {each for each in seen if each.split("/")[0] in DIRECTORY} == {f"{kind}/{id_}" for kind, id_ in WORLD if kind in DIRECTORY}


def test_every_caller_of_the_table_is_told():
    assert set(SEES) == set(CALLERS)


@pytest.mark.parametrize("role", MATRIX)
def test_a_role_that_may_search_a_type_may_read_it(role: str):
    assert all(may(role, kind, "read") for kind in MATRIX[role] if may(role, kind, "search"))
    assert all(may(role, kind, "search") for kind in DEFINITIONS)
    assert not may(role, "Binary", "search")


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("companion", "Group"), ("treatment-team", "Group"), ("ehr", "Task"), ("ehr", "Communication"), ("referrer", "Patient"),
        ("client", "Flag"), ("client", "AuditEvent"), ("auditor", "Patient"), ("auditor", "Encounter"), ("admin", "Patient"),
        ("admin", "EpisodeOfCare"), ("admin", "Consent"),
    ],
)  # fmt: skip
def test_a_type_without_a_row_for_the_role_is_forbidden(role: str, kind: str):
    assert not may(role, kind, "read")
