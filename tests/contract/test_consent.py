"""Consent by the words of domain.md 3.3, one condition after the other: Zoe, of Leo's, Omar's and Chen's clients, signs this and that."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recovery_api.demo.engagement import deny, period
from recovery_api.domain.codes import ACT, REASON, THO, coding, concept, ref
from recovery_api.fhir.json import JsonObject
from tests.callers import CHEN, LEO, NOOR, OMAR, SYS_HARBOR, SYS_RIVERBEND, Caller, app, related
from tests.consenting import MOOD, OPIOIDS, allow, of_codes, of_labels, of_types, record, refuse, towards
from tests.contract.oracle import Oracle
from tests.world import RIVERBEND, T0, Story, by_id

ZOE, AUNT = app("zoe"), related("aunt-zoe", "zoe")
SESSION, OLD_SESSION, NOTE = "Encounter/e-zoe-oud", "Encounter/e-zoe-dep", "DocumentReference/d-zoe-oud"
MOODS, CRAVING, PLAN = "Observation/o-zoe-mood", "Observation/o-zoe-craving", "CarePlan/cp-zoe"
EPISODE = "EpisodeOfCare/eoc-zoe"
KEPT_APART = "DocumentReference/d-zoe-own"


def story() -> Story:
    told = Story()
    record(told, "zoe")
    return told


def signed(*agreements: dict[str, Any], told: Story | None = None) -> Story:
    """Zoe's record with these Consents, each as Story.consent takes it."""
    told = told or story()
    for number, each in enumerate(agreements):
        shape: dict[str, Any] = {"start": told.day(100)} | each
        told.consent(f"c-zoe-{number}", "zoe", form=False, **shape)
    return told


def sees(caller: Caller, target: str, told: Story, zone: str = "UTC", **later: float) -> bool:
    return Oracle(by_id(told.resources), T0 + timedelta(**later), ZoneInfo(zone)).reads(caller, target)


TPO: dict[str, Any] = {}
TREATMENT: JsonObject = {"purpose": [coding(REASON, "TREAT")]}
DISSENT: dict[str, Any] = {"kind": "deny", "purpose": ()}


# when ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", ["draft", "proposed", "rejected", "inactive", "entered-in-error"])
def test_only_an_active_consent_counts(status: str):
    assert sees(CHEN, SESSION, signed(TPO))
    assert not sees(CHEN, SESSION, signed({"status": status}))
    assert sees(CHEN, SESSION, signed(TPO, DISSENT | {"status": status}))


def test_a_consent_ends_at_its_instant_and_with_its_day_in_the_agencys_zone():
    at_noon, today = signed({"end": story().instant()}), signed({"end": story().day()})
    assert sees(CHEN, SESSION, at_noon, seconds=-1)
    assert not sees(CHEN, SESSION, at_noon)
    assert sees(CHEN, SESSION, today, hours=11.9)
    assert not sees(CHEN, SESSION, today, hours=12)
    assert sees(CHEN, SESSION, today, "America/New_York", hours=16)
    assert not sees(CHEN, SESSION, today, "America/New_York", hours=17)


def test_a_provision_below_has_a_period_of_its_own_within_that_of_its_ancestors():
    told = story()
    for begins, ends, closed in ((100, 1, False), (100, -1, True), (-1, -2, False)):
        lapsing = refuse({"period": period(told.day(begins), told.day(ends))}, of_labels("ETH"))
        assert sees(CHEN, CRAVING, signed({"nested": [lapsing]})) != closed
    over = {"end": told.day(1), "nested": [allow({"period": period(told.day(100))}, of_types("Encounter"))]}
    assert not sees(CHEN, SESSION, signed(over))


# who -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("actors", "names"),
    [
        ([RIVERBEND], {"chen", "sys-riverbend"}), (["Practitioner/chen"], {"chen"}), (["PractitionerRole/chen"], {"chen"}),
        (["CareTeam/ct-zoe"], {"chen"}), (["RelatedPerson/aunt-zoe"], {"aunt-zoe"}), (["Organization/org-harbor"], {"sys-harbor"}),
        (["CareTeam/ct-ana"], {"chen"}), (["CareTeam/ct-dan"], set[str]()), (["Practitioner/noor"], set[str]()),
    ],
)  # fmt: skip
def test_an_actor_is_a_person_a_role_an_organization_or_a_care_team(actors: list[str], names: set[str]):
    told = signed({"actors": actors})
    assert {each.name for each in (CHEN, NOOR, SYS_RIVERBEND, SYS_HARBOR, AUNT) if sees(each, SESSION, told)} == names


def test_of_a_permit_only_recipients_count_and_of_a_deny_everybody():
    for role, counts in (("IRCP", True), ("PRCP", True), ("CST", False), ("GUAR", False)):
        assert sees(CHEN, SESSION, signed({"actors": (), "limits": towards(RIVERBEND, role=role)})) == counts
        assert not sees(CHEN, SESSION, signed(TPO, DISSENT | {"actors": (), "limits": towards(RIVERBEND, role=role)}))
    assert sees(CHEN, SESSION, signed({"actors": (), "limits": {"actor": [{"reference": ref(RIVERBEND)}]}}))


def test_actors_are_those_of_the_nearest_provision_that_has_some_and_of_all_above_it():
    assert sees(CHEN, SESSION, signed({"kind": "", "nested": [allow(of_types("Encounter"))]}))
    assert not sees(CHEN, SESSION, signed({"actors": (), "nested": [allow(of_types("Encounter"))]}))
    told = signed({"nested": [refuse(towards("Practitioner/chen"), of_types("Encounter"))]})
    assert not sees(CHEN, SESSION, told)
    assert sees(SYS_RIVERBEND, SESSION, told)
    assert sees(CHEN, SESSION, signed(TPO, {"actors": ["Organization/org-harbor"], "nested": [refuse(towards("Practitioner/chen"))]}))


def test_a_deny_that_names_nobody_closes_to_everybody_outside_and_to_nobody_inside():
    told = signed(TPO, {"actors": ["RelatedPerson/aunt-zoe"]}, DISSENT | {"actors": ()})
    assert [each.name for each in (CHEN, SYS_RIVERBEND, AUNT, LEO, OMAR, ZOE) if sees(each, SESSION, told)] == ["leo", "omar", "app-zoe"]


# for what ------------------------------------------------------------------------------------------------------------
def test_the_purpose_of_the_token_is_among_those_of_the_consent():
    research, told = replace(CHEN, purpose="HRESCH"), signed({"purpose": ("HRESCH", "HLEGAL")})
    assert not sees(CHEN, SESSION, told)
    assert sees(research, SESSION, told)
    assert not sees(research, SESSION, signed(TPO))
    assert sees(research, SESSION, signed({"purpose": ()}))
    assert not sees(research, SESSION, signed({"kind": "", "purpose": ("HRESCH",), "nested": [allow(TREATMENT)]}))


def test_an_act_that_is_not_sharing_opens_nothing_and_closes_nothing():
    for act, shares in (("access", True), ("disclose", True), ("collect", False)):
        limits: JsonObject = {"action": [concept((THO + "consentaction", act))]}
        assert sees(CHEN, SESSION, signed({"limits": limits})) == shares
        assert sees(CHEN, SESSION, signed({"nested": [refuse(limits)]})) != shares


# what ----------------------------------------------------------------------------------------------------------------
def test_classes_are_resource_types_and_the_patient_comes_with_whatever_is_open():
    told = signed({"limits": of_types("Encounter", "DocumentReference")})
    assert sees(CHEN, SESSION, told)
    assert sees(CHEN, "Binary/b-zoe-oud", told)
    assert sees(CHEN, "Provenance/prov-d-zoe-oud", told)
    assert sees(CHEN, "Patient/zoe", told)
    assert not sees(CHEN, MOODS, told)
    assert not sees(CHEN, "CareTeam/ct-zoe", told)


@pytest.mark.parametrize(
    ("limits", "closed"),
    [(of_types("Patient"), True), (of_types("Encounter"), False), (of_labels("PSY"), False), (of_codes(OPIOIDS), False), ({}, True)],
)
def test_a_deny_closes_the_patient_by_who_and_class_alone(limits: JsonObject, closed: bool):
    told = signed({"nested": [refuse(limits)]})
    assert sees(CHEN, "Patient/zoe", told) != closed
    assert sees(CHEN, "Consent/c-zoe-0", told) != closed
    assert sees(CHEN, "Patient/zoe", signed({"nested": [refuse(limits, but=[allow(of_types("Goal"))])]}))


def test_a_code_may_stand_anywhere_in_the_resource():
    told = signed({"limits": of_codes(OPIOIDS)})
    assert sees(CHEN, SESSION, told)
    assert not sees(CHEN, OLD_SESSION, told)
    contained: JsonObject = {"resourceType": "Condition", "id": "c", "subject": ref("Patient/zoe"), "code": concept(OPIOIDS)}
    told.find(PLAN)["contained"] = [contained]
    assert sees(CHEN, PLAN, told)
    told.find("Goal/g-zoe-1")["meta"] = {"tag": [coding(*OPIOIDS)]}
    assert not sees(CHEN, "Goal/g-zoe-1", told)


# when it happened ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("start", "end", "permitted", "closed"),
    [(40, None, True, True), (None, 10, True, True), (10, 10, True, True), (9, None, False, False), (None, 11, False, False)],
)
def test_what_happened_inside_is_permitted_and_what_overlaps_is_closed(start: int | None, end: int | None, permitted: bool, closed: bool):
    told = story()
    data: JsonObject = {"dataPeriod": {name: told.day(each) for name, each in (("start", start), ("end", end)) if each is not None}}
    for target in (SESSION, MOODS, NOTE, "Condition/cond-zoe-oud"):
        assert sees(CHEN, target, signed({"limits": data})) == permitted
        assert sees(CHEN, target, signed({"nested": [refuse(data)]})) != closed


def test_what_lasted_over_the_edge_is_neither_permitted_nor_left_open():
    told = story()
    middle = told.later(told.instant(days=10), hours=1)  # of a session of two hours
    for data in ({"start": middle}, {"end": middle}):
        assert not sees(CHEN, SESSION, signed({"limits": {"dataPeriod": data}}))
        assert not sees(CHEN, SESSION, signed({"nested": [refuse({"dataPeriod": data})]}))
    running = story()
    del running.find(SESSION)["period"]["end"]
    assert not sees(CHEN, SESSION, signed({"limits": {"dataPeriod": {"start": running.day(40), "end": running.day()}}}, told=running))


@pytest.mark.parametrize(
    ("target", "element", "outside"),
    [(SESSION, "period", True), (MOODS, "effectiveDateTime", True), ("Condition/cond-zoe-oud", "onsetDateTime recordedDate", False)],
)
def test_a_date_that_is_not_known_is_outside_for_sessions_observations_and_notes(target: str, element: str, outside: bool):
    ever: JsonObject = {"dataPeriod": {"start": "2000-01-01"}}
    for agreement, kept in (({"limits": ever}, not outside), ({"nested": [refuse(ever)]}, not outside)):
        told = signed(agreement)
        for each in element.split():
            del told.find(target)[each]
        assert sees(CHEN, target, told) == kept
    assert sees(CHEN, PLAN, signed({"limits": ever}))
    assert sees(CHEN, PLAN, signed({"nested": [refuse(ever)]}))


def test_a_note_is_dated_by_its_session_and_else_by_itself():
    lately: JsonObject = {"limits": {"dataPeriod": {"start": story().day(40)}}}
    told = signed(lately)
    assert not sees(CHEN, "DocumentReference/d-zoe-dep", told)
    told.find("DocumentReference/d-zoe-dep")["date"] = told.instant(days=1)
    assert not sees(CHEN, "DocumentReference/d-zoe-dep", told)
    del told.find("DocumentReference/d-zoe-dep")["context"]
    assert sees(CHEN, "DocumentReference/d-zoe-dep", told)


# how sensitive -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("label", ["ETH", "SUD", "ETHUD", "OPIOIDUD"])
def test_a_deny_of_one_label_of_a_family_closes_the_family(label: str):
    told = signed({"nested": [deny(label)]})
    assert not sees(CHEN, CRAVING, told)
    assert not sees(CHEN, EPISODE, told)
    assert sees(CHEN, OLD_SESSION, told)
    assert sees(CHEN, MOODS, told)


@pytest.mark.parametrize(
    ("labels", "targets"),
    [
        (["PSY"], {OLD_SESSION}), (["MH"], {OLD_SESSION}), (["SUD"], {CRAVING}), (["ETH", "PSY"], {OLD_SESSION, CRAVING, EPISODE}),
        (["PSYTHPN"], {KEPT_APART}), (["PSYTHPN", "PSY"], {KEPT_APART, OLD_SESSION}), (["42CFRPart2"], {MOODS, PLAN}),
        (["EMP"], set[str]()),
    ],
)  # fmt: skip
def test_a_permit_of_labels_opens_what_has_one_of_them_and_no_sensitivity_beside(labels: list[str], targets: set[str]):
    told = signed({"limits": of_labels(*labels)})
    asked = (OLD_SESSION, CRAVING, MOODS, PLAN, KEPT_APART, EPISODE)
    assert {each for each in asked if sees(CHEN, each, told)} == targets


def test_confidentiality_may_be_denied_and_asked_for():
    restricted, normal = ({"securityLabel": [coding(THO + "v3-Confidentiality", each)]} for each in ("R", "N"))
    told = Story()
    told.consent("c-ben-r", "ben", told.day(100), form=False, nested=[refuse(restricted)])
    told.remove("Consent/c-ben")
    assert not sees(CHEN, "Encounter/e-ben-1", told)
    assert sees(CHEN, "Observation/o-ben-mood", told)
    told.find("Consent/c-ben-r")["provision"] = allow(normal, towards(RIVERBEND))
    assert not sees(CHEN, "Encounter/e-ben-1", told)
    assert sees(CHEN, "Observation/o-ben-mood", told)


def test_a_counselling_note_needs_a_consent_of_its_own_a_signature_and_a_clinician_of_the_team():
    told = signed(TPO, {"limits": of_labels("PSYTHPN")})
    assert [each.name for each in (CHEN, NOOR, SYS_RIVERBEND, LEO, OMAR, ZOE) if sees(each, KEPT_APART, told)] == ["chen", "omar"]
    assert sees(CHEN, "Binary/b-zoe-own", told)
    told.find(KEPT_APART)["docStatus"] = "preliminary"
    assert not sees(CHEN, KEPT_APART, told)
    assert not sees(CHEN, KEPT_APART, signed(TPO))


def test_no_consent_opens_what_is_of_employees():
    told = signed(TPO, {"limits": of_labels("EMP")})
    told.find(MOODS)["meta"] = {"security": [coding(ACT, "EMP")]}
    assert [each.name for each in (CHEN, SYS_RIVERBEND, LEO, OMAR, ZOE) if sees(each, MOODS, told)] == ["omar"]


# exceptions ----------------------------------------------------------------------------------------------------------
def test_any_deny_wins_over_all_permits_of_other_consents():
    told = signed(TPO, {"actors": ["Practitioner/chen"]}, DISSENT | {"limits": of_types("Encounter")})
    assert not sees(CHEN, SESSION, told)
    assert sees(CHEN, MOODS, told)


def test_a_permit_right_below_a_deny_is_its_exception_and_opens():
    alone = signed(DISSENT | {"nested": [allow(of_types("Observation"))]})
    assert sees(CHEN, MOODS, alone)
    assert not sees(CHEN, SESSION, alone)
    assert sees(CHEN, "Patient/zoe", alone)
    assert not sees(CHEN, MOODS, signed(DISSENT | {"nested": [allow(of_types("Observation"))]}, DISSENT))
    further_below = {"provision": [allow(of_types("Observation"))]}
    assert not sees(CHEN, MOODS, signed(DISSENT | {"nested": [further_below]}))


def test_exceptions_may_have_exceptions_to_any_depth():
    fourth = allow(of_types("Observation"), of_codes(MOOD))
    third = refuse(of_types("Observation"), but=[fourth])
    second = allow(of_types("Observation", "Encounter"), but=[third])
    told = signed({"nested": [refuse(but=[second])]})
    assert sees(CHEN, SESSION, told)
    assert sees(CHEN, MOODS, told)
    assert not sees(CHEN, CRAVING, told)
    assert not sees(CHEN, NOTE, told)


# inside --------------------------------------------------------------------------------------------------------------
def test_a_deny_closes_to_staff_where_it_means_them_in_person():
    for actor, closed in (
        ("Practitioner/leo", {"leo"}), ("PractitionerRole/leo", {"leo"}), ("CareTeam/ct-zoe", {"leo", "omar"}),
        ("Organization/org-cir", set[str]()), ("Practitioner/maya", set[str]()),
    ):  # fmt: skip
        told = signed(DISSENT | {"actors": [actor]})
        assert {each.name for each in (LEO, OMAR) if not sees(each, SESSION, told)} == closed
        assert sees(ZOE, SESSION, told)
    within = {"actors": ["Organization/org-cir"], "nested": [refuse(towards("Practitioner/leo"))], "purpose": ()}
    assert not sees(LEO, SESSION, signed(within))


def test_a_deny_to_staff_is_narrowed_as_any_other():
    told = signed(DISSENT | {"actors": ["Practitioner/leo"], "limits": of_labels("ETH"), "nested": [allow(of_types("Observation"))]})
    assert [target for target in (SESSION, CRAVING, OLD_SESSION, NOTE) if sees(LEO, target, told)] == [CRAVING, OLD_SESSION]
    treatment = signed({"kind": "deny", "actors": ["Practitioner/leo"]})
    assert sees(LEO, SESSION, treatment)
    assert not sees(replace(LEO, purpose="TREAT"), SESSION, treatment)
