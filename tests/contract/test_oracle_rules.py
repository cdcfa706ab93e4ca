"""The oracle's rules one by one, in a world that has somebody for each."""

from datetime import timedelta

import pytest

from tests.callers import (
    APP_ANA,
    APP_BEN,
    CHEN,
    IRIS,
    JUDE,
    KIM,
    LENA,
    LEO,
    MAYA,
    NIA,
    OMAR,
    PATEL,
    REP_DAN,
    RUTH,
    SAM,
    SISTER_ANA,
    SYS_RIVERBEND,
    UNCLE_BEN,
    Caller,
)
from tests.contract.oracle import Oracle
from tests.wider import wide
from tests.world import T0, Story, by_id

WORLD = by_id(wide().resources)
ORACLE = Oracle(WORLD, T0)


def sees(caller: Caller, target: str, oracle: Oracle = ORACLE) -> bool:
    kind, _, id_ = target.partition("/")
    return oracle.sees(caller, oracle.world[kind, id_])


def told(story: Story, **moved: float) -> Oracle:
    return Oracle(by_id(story.resources), T0 + timedelta(**moved))


def test_consent_opens_to_a_clinician_only_with_the_care_team():
    assert sees(SYS_RIVERBEND, "Patient/without-team")
    assert not sees(CHEN, "Patient/without-team")


def test_a_companion_keeps_her_notes_and_sessions_for_seven_days_and_what_tells_of_their_origin():
    kept = {each for each in ORACLE.visible(LENA) if each.split("/")[1].count("gil") or each.split("/")[1].count("hana")}
    notes = {"DocumentReference/d-gil-1", "DocumentReference/d-gil-2", "Binary/b-gil-1", "Binary/b-gil-2"}
    assert kept == notes | {"Encounter/e-gil-1", "Provenance/prov-d-gil-1"}
    later = Oracle(WORLD, T0 + timedelta(days=4))
    assert not any("gil" in each for each in later.visible(LENA))


def test_supervision_opens_what_the_companion_has_and_ends_with_her():
    assert sees(IRIS, "Patient/finn")
    assert sees(JUDE, "Patient/finn")
    assert not sees(RUTH, "Patient/finn")
    assert not sees(JUDE, "Patient/finn", Oracle(WORLD, T0 + timedelta(days=1)))
    story = wide()
    story.find("PractitionerRole/nia")["extension"][0]["extension"][1]["valuePeriod"]["end"] = story.instant()
    assert not sees(IRIS, "Patient/finn", told(story))
    assert sees(NIA, "Patient/finn", told(story))


@pytest.mark.parametrize(
    ("target", "callers"),
    [
        ("Observation/o-boundary-maya", {"ruth"}),
        ("Observation/o-boundary-leo", {"omar"}),
        ("Communication/com-maya", {"ruth", "maya"}),
        ("Communication/com-maya-reply", {"ruth", "maya"}),
        ("Task/task-checkin-leo", {"omar", "leo"}),
        ("DocumentReference/d-counsel-ana", {"ruth"}),
        ("Binary/b-counsel-ben", {"omar"}),
        ("Communication/com-ana-case", {"ruth", "maya", "chen", "app-ana"}),
        ("Communication/com-ana-own", {"ruth", "maya", "app-ana"}),
        ("Task/task-outreach", {"ruth"}),
        ("Task/task-emergency", {"sam", "omar"}),
        ("Patient/eve-ls", {"ruth", "omar", "iris", "jude"}),
    ],
)
def test_what_is_kept_apart_goes_to_whom_it_names(target: str, callers: set[str]):
    asked = (APP_ANA, APP_BEN, CHEN, IRIS, JUDE, KIM, LENA, LEO, MAYA, NIA, OMAR, PATEL, REP_DAN, RUTH, SAM, SISTER_ANA, SYS_RIVERBEND)
    assert {each.name for each in asked if sees(each, target)} == callers


def test_a_verified_representative_reads_as_the_client_and_a_named_relative_as_an_external_reader():
    assert sees(REP_DAN, "DocumentReference/form-dan")
    assert sees(REP_DAN, "Consent/c-dan")
    assert sees(SISTER_ANA, "DocumentReference/d-ana-1")
    assert not sees(SISTER_ANA, "DocumentReference/form-ana")
    assert not sees(SISTER_ANA, "Consent/c-ana")
    assert sees(SISTER_ANA, "Consent/c-ana-plain")
    assert not sees(UNCLE_BEN, "Patient/ben")


def test_a_final_note_without_authenticator_stays_inside():
    assert sees(LEO, "DocumentReference/d-ben-unsigned")
    assert not sees(APP_BEN, "DocumentReference/d-ben-unsigned")
    assert not sees(CHEN, "DocumentReference/d-ben-unsigned")


def test_a_deny_that_names_a_companion_closes_the_client_to_her():
    story = Story()
    story.consent("c-eve-maya", "eve", story.day(100), kind="deny", actors=["Practitioner/maya"], purpose=(), form=False)
    assert not sees(MAYA, "Patient/eve", told(story))
    assert sees(RUTH, "Patient/eve", told(story))


def test_a_deny_of_the_care_team_closes_the_client_to_its_clinicians():
    story = Story()
    story.consent_of("dissent", "ana", ["CareTeam/ct-ana"])
    assert not sees(CHEN, "Patient/ana", told(story))
    assert sees(SYS_RIVERBEND, "Patient/ana", told(story))


@pytest.mark.parametrize("change", [{"status": "inactive"}, {"status": "proposed"}, {"period": {"end": "2026-11-09"}}])
def test_a_care_team_that_is_not_active_now_opens_nothing(change: dict[str, object]):
    story = Story()
    story.find("CareTeam/ct-ana").update(change)
    for caller in (MAYA, RUTH, CHEN):
        assert not sees(caller, "Patient/ana", told(story))


def test_an_organization_on_the_care_team_opens_to_each_of_its_clinicians():
    story = Story()
    story.find("CareTeam/ct-ana")["participant"].append({"member": {"reference": "Organization/org-lakeside"}})
    story.consent_of("plain", "ana", ["Organization/org-lakeside"])
    assert sees(PATEL, "Patient/ana", told(story))


def test_a_binary_without_document_is_its_makers_alone():
    story = Story()
    story.add({"resourceType": "Binary", "id": "loose", "contentType": "text/plain", "data": "SGVsbG8="})
    oracle = Oracle(by_id(story.resources), T0, creators={("Binary", "loose"): "Practitioner/maya"})
    assert sees(MAYA, "Binary/loose", oracle)
    assert not sees(RUTH, "Binary/loose", oracle)
