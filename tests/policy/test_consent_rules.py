"""A Consent as rules: what each kind of provision turns into."""
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recovery_api.fhir import labels
from recovery_api.policy.consent import consent_rules
from recovery_api.store.records import ConsentRule

UTC = ZoneInfo("UTC")
CHEN, RIVERBEND, HARBOR, TEAM = "Practitioner/chen", "Organization/riverbend", "Organization/harbor", "CareTeam/ct"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
TYPES = "http://hl7.org/fhir/resource-types"


def actor(reference: str, role: str | None = "IRCP") -> dict[str, Any]:
    coding = {"role": {"coding": [{"code": role}]}} if role else {}
    return {**coding, "reference": {"reference": reference}}


def permit(*actors: str, nested: list[dict[str, Any]] | None = None, **limits: Any) -> dict[str, Any]:
    return _provision("permit", actors, nested, limits)


def deny(*actors: str, nested: list[dict[str, Any]] | None = None, **limits: Any) -> dict[str, Any]:
    return _provision("deny", actors, nested, limits)


def _provision(effect: str, actors: tuple[str, ...], nested: list[dict[str, Any]] | None, limits: dict[str, Any]) -> dict[str, Any]:
    named = {"actor": [actor(each) for each in actors]} if actors else {}
    return {"type": effect, **named, **limits, **({"provision": nested} if nested else {})}


def label(code: str) -> dict[str, str]:
    return {"system": ACT, "code": code}


def type_(code: str, system: str = TYPES) -> dict[str, str]:
    return {"system": system, "code": code}


def code(value: str) -> dict[str, Any]:
    return {"coding": [{"system": "s", "code": value}]}


def rules(provision: dict[str, Any], **consent: Any) -> tuple[ConsentRule, ...]:
    said = {"resourceType": "Consent", "id": "c", "status": "active", "patient": {"reference": "Patient/ana"}, "provision": provision}
    return consent_rules(said | consent, UTC)


def effects(provision: dict[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(rule.path, rule.effect, rule.actors) for rule in rules(provision)]


def test_a_plain_permit_is_one_rule_for_its_recipients() -> None:
    [rule] = rules(permit(RIVERBEND, CHEN, purpose=[{"code": "TREAT"}, {"code": "HPAYMT"}]))
    assert (rule.consent, rule.client, rule.effect) == ("c", "ana", "permit")
    assert (rule.actors, rule.purposes, rule.classes) == ((RIVERBEND, CHEN), ("TREAT", "HPAYMT"), ())


@pytest.mark.parametrize("status", ["draft", "proposed", "inactive", "rejected", "entered-in-error"])
def test_a_consent_that_is_not_active_has_no_rules(status: str) -> None:
    assert rules(permit(RIVERBEND), status=status) == ()


@pytest.mark.parametrize(
    "provision",
    [
        permit(),
        {"type": "permit", "actor": [actor(RIVERBEND, "CST")]},
        permit(RIVERBEND, data=[{"meaning": "instance", "reference": {"reference": "Observation/o"}}]),
        permit(RIVERBEND, action=[{"coding": [{"code": "collect"}]}]),
        permit(RIVERBEND, **{"class": [type_("x", "urn:other")]}),
        permit(RIVERBEND, securityLabel=[label("UNKNOWN")]),
        permit(RIVERBEND, securityLabel=[label("EMP")]),
        permit(RIVERBEND, code=[{"text": "my diary"}]),
        permit(RIVERBEND, nested=[permit(purpose=[{"code": "HRESCH"}])], purpose=[{"code": "TREAT"}])["provision"][0],
    ],
    ids=["nobody", "a custodian", "single data", "collecting", "unknown class", "unknown label", "EMP", "words", "nobody inside"],
)
def test_what_cannot_be_told_or_names_nobody_opens_nothing(provision: dict[str, Any]) -> None:
    assert rules(provision) == ()


@pytest.mark.parametrize(
    "limits",
    [
        {"data": [{"meaning": "instance", "reference": {"reference": "Observation/o"}}]},
        {"class": [type_("x", "urn:other")]},
        {"securityLabel": [label("UNKNOWN")]},
        {"code": [{"text": "my diary"}]},
    ],
    ids=["single data", "unknown class", "unknown label", "words"],
)
def test_what_cannot_be_told_sets_a_deny_no_bound(limits: dict[str, Any]) -> None:
    [rule] = rules(deny(RIVERBEND, **limits))
    assert (rule.actors, rule.classes, rule.labels, rule.labels_within, rule.code) == ((RIVERBEND,), (), 0, -1, "")


def test_a_deny_without_actors_has_none() -> None:
    assert effects(deny()) == [("0", "deny", ())]


def test_conditions_around_count_inside() -> None:
    provision = permit(
        RIVERBEND,
        purpose=[{"code": "TREAT"}, {"code": "HPAYMT"}],
        period={"start": "2026-01-01"},
        nested=[deny(purpose=[{"code": "HPAYMT"}, {"code": "HRESCH"}], period={"end": "2026-06-30"}, securityLabel=[label("SUD")])],
    )
    opened, closed = rules(provision)
    assert (closed.parent, closed.path, closed.actors, closed.purposes) == (opened.path, "0.0", (RIVERBEND,), ("HPAYMT",))
    assert (closed.starts, closed.labels) == (opened.starts, labels.bit("ETH"))
    assert closed.ends < opened.ends


def test_conditions_that_exclude_each_other_make_no_rule() -> None:
    provision = permit(RIVERBEND, purpose=[{"code": "TREAT"}], nested=[deny(purpose=[{"code": "HRESCH"}])])
    assert effects(provision) == [("0", "permit", (RIVERBEND,))]


def test_a_narrower_actor_inside_must_meet_both() -> None:
    _, closed = rules(permit(RIVERBEND, nested=[deny(CHEN)]))
    assert (closed.actors, closed.actors_within) == ((CHEN,), (RIVERBEND,))
    [_, among] = rules(permit(RIVERBEND, HARBOR, nested=[deny(HARBOR)]))
    assert (among.actors, among.actors_within) == ((HARBOR,), ())


def test_an_actor_within_a_team_is_denied_without_it_and_permitted_nothing() -> None:
    assert effects(deny(TEAM, nested=[permit(CHEN, nested=[deny()])])) == [("0", "deny", (TEAM,)), ("0.0.0", "deny", (CHEN,))]


def test_a_label_stands_for_its_family() -> None:
    for sent in ("ETH", "SUD", "ETHUD", "OPIOIDUD"):
        assert rules(deny(RIVERBEND, securityLabel=[label(sent)]))[0].labels == labels.bit("ETH")
    assert rules(deny(RIVERBEND, securityLabel=[label("MH")]))[0].labels == labels.bit("PSY")
    assert [rule.labels for rule in rules(deny(securityLabel=[label("PSY"), label("SEX")]))] == [labels.bit("PSY"), labels.bit("SEX")]


def test_a_permit_without_labels_opens_no_counselling_note_and_nothing_of_staff() -> None:
    [rule] = rules(permit(RIVERBEND))
    assert ~rule.labels_within == labels.APART


def test_a_permit_with_labels_opens_what_has_no_others() -> None:
    [rule] = rules(permit(RIVERBEND, securityLabel=[label("PSY")]))
    assert rule.labels == labels.bit("PSY")
    assert not rule.labels_within & labels.bit("ETH")
    assert rule.labels_within & labels.bit("PSY")


def test_a_permit_for_counselling_notes_opens_them_whatever_else_they_are() -> None:
    [rule] = rules(permit(RIVERBEND, securityLabel=[label("PSYTHPN")]))
    assert rule.labels == labels.bit("PSYTHPN")
    assert ~rule.labels_within == labels.bit("EMP")


def test_each_code_is_an_alternative() -> None:
    assert [rule.code for rule in rules(permit(RIVERBEND, code=[code("a"), code("b")]))] == ["a", "b"]


def test_data_periods_meet() -> None:
    provision = permit(RIVERBEND, dataPeriod={"start": "2026-01-01"}, nested=[deny(dataPeriod={"end": "2026-02-28"})])
    opened, closed = rules(provision)
    assert opened.data
    assert closed.data
    assert closed.data[0] == opened.data[0]
    assert closed.data[1] < opened.data[1]


def test_a_root_without_a_type_narrows_what_is_in_it() -> None:
    provision = {"purpose": [{"code": "TREAT"}], "provision": [permit(RIVERBEND)]}
    [rule] = rules(provision)
    assert (rule.path, rule.parent, rule.purposes) == ("0.0", "0", ("TREAT",))
