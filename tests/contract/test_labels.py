"""The second implementation of labels, against the tables of world.md."""

import pytest

from recovery_api.demo.codes import diagnosis
from recovery_api.demo.world import fixture
from recovery_api.domain.codes import ACT, LOINC, SCT, coding, concept, local, ref
from recovery_api.fhir.json import Json, JsonObject
from tests.contract.labels import LAW, SENSITIVE, Labels
from tests.world import T0, Story, by_id

WORLD = by_id(fixture(T0))
LABELS = Labels(WORLD)
SUBSTANCE, MIND, BEHAVIOUR = {"SUD", "ETH"}, {"PSY"}, {"BH"}
EXPECTED: dict[str, set[str]] = {  # world.md, "Expected sensitivity in the fixture"; what is not named has none
    name: labels
    for labels, names in (
        (SUBSTANCE, """cond-ana-aud cond-cora-oud cond-dan-coc cond-eve-alc eoc-dan eoc-eve e-ana-2 e-dan-1 o-ana-craving o-dan-craving
            d-ana-1 d-cora-2 d-dan-1 sr-ls-401 task-esc-ana-1 b-ana-1 b-cora-2 b-dan-1"""),
        (SUBSTANCE | MIND, "eoc-ana eoc-cora d-ana-2 b-ana-2"),
        (MIND, "cond-ana-ptsd cond-ben-dep cond-cora-an e-ana-1 e-cora-1 d-cora-1 b-cora-1"),
        (MIND | BEHAVIOUR, "d-ben-1 b-ben-1 eoc-ben"),
        (BEHAVIOUR, "cond-ben-gam e-ben-1 o-ben-urge"),
        ({"EMP"}, "task-checkin-maya"),
    )
    for name in names.split()
}  # fmt: skip
UNDER_THE_LAW = ("ana", "cora", "dan", "eve", "ls-401")
NEVER = {"Patient", "Consent", "Group", "Organization", "Practitioner", "PractitionerRole"}


def of(story: Story, target: str) -> frozenset[str]:
    return Labels(by_id(story.resources)).of(story.find(target))


def test_the_fixture_has_the_sensitivity_of_the_table():
    assert {id_: set(LABELS.sensitivity(each)) for (_, id_), each in WORLD.items() if LABELS.sensitivity(each)} == EXPECTED


def test_the_law_lies_on_everything_clinical_of_who_is_treated_for_substance_use():
    lawful = {key for key, each in WORLD.items() if LABELS.under_the_law(each)}
    assert lawful == {
        (kind, id_) for kind, id_ in WORLD if kind not in NEVER and any(each in id_ for each in UNDER_THE_LAW) and "-checkin-" not in id_
    }


def test_whatever_is_sensitive_or_under_the_law_is_restricted():
    for each in WORLD.values():
        labels = LABELS.of(each)
        assert ("R" in labels) == bool(labels & SENSITIVE or LAW in labels)
        assert "V" not in labels


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("craving", SUBSTANCE), ("sober-today", SUBSTANCE), ("urge-gambling", BEHAVIOUR), ("urge-sexual", {"SEX", "BH"}),
        ("urge-restrict", MIND), ("urge-binge", MIND), ("meal-support", MIND), ("urge-self-harm", MIND), ("trauma-response", MIND),
        ("mood", set[str]()), ("trigger", set[str]()), ("boundary-event", {"EMP"}),
    ],
)  # fmt: skip
def test_what_a_companion_observes_is_labelled_by_its_code(code: str, expected: set[str]):
    story = Story()
    story.observation("o", "ben", code, None, story.instant(), "leo")
    assert of(story, "Observation/o") & SENSITIVE == expected


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (LOINC, "93374-7", MIND), (LOINC, "44261-6", MIND), (LOINC, "75624-7", SUBSTANCE), (LOINC, "82667-7", SUBSTANCE),
        (SCT, "75544000", SUBSTANCE), (SCT, "56882008", MIND), (LOINC, "8302-2", set[str]()),
    ],
)  # fmt: skip
def test_instruments_and_findings_are_labelled_by_their_code(system: str, code: str, expected: set[str]):
    story = Story()
    story.observation("o", "ben", "mood", 3, story.instant(), "leo")["code"] = concept((system, code))
    assert of(story, "Observation/o") & SENSITIVE == expected


@pytest.mark.parametrize(
    "told",
    [
        {"valueCodeableConcept": diagnosis("F11.20")},
        {"component": [{"code": concept(local("companion-observation", "craving")), "valueInteger": 3}]},
        {"component": [{"code": {"text": "why"}, "valueCodeableConcept": diagnosis("F10.20")}]},
        {"contained": [{"resourceType": "Condition", "id": "c", "subject": ref("Patient/ben"), "code": diagnosis("F10.20")}]},
    ],
)
def test_values_components_and_what_is_contained_label_the_whole(told: JsonObject):
    story = Story()
    story.observation("o", "ben", "trigger", None, story.instant(), "leo", more=told)
    assert of(story, "Observation/o") >= {"SUD", "ETH", "R"}


@pytest.mark.parametrize("element", ["addresses", "supportingInfo"])
def test_labels_do_not_travel_along_other_references(element: str):
    story = Story()
    story.find("CarePlan/cp-ben")[element] = [ref("Condition/cond-cora-oud")]
    assert not of(story, "CarePlan/cp-ben") & SENSITIVE


def test_labels_travel_from_the_reason_of_a_reason():
    story = Story()
    by: dict[str, Json] = {"status": "active", "intent": "order", "subject": ref("Patient/ben")}
    story.add({"resourceType": "ServiceRequest", "id": "s", "reasonReference": [ref("Encounter/e-cora-1")]} | by)
    assert of(story, "ServiceRequest/s") & SENSITIVE == MIND


def test_a_signer_narrows_a_final_note_and_a_draft_can_only_be_raised():
    story = Story()
    sexual = [concept((ACT, "SEX"))]
    note = story.find("DocumentReference/d-ana-1")
    note["securityLabel"] = sexual
    assert of(story, "DocumentReference/d-ana-1") & SENSITIVE == {"SEX"}
    for unsigned in ({"docStatus": "preliminary"}, {"docStatus": "amended"}):
        note.update(unsigned)
        assert of(story, "DocumentReference/d-ana-1") & SENSITIVE == {"SEX", "SUD", "ETH", "PSY"}
    del note["authenticator"]
    note["docStatus"] = "final"
    assert of(story, "DocumentReference/d-ana-1") & SENSITIVE == {"SEX", "SUD", "ETH", "PSY"}


def test_a_message_about_a_client_is_labelled_as_a_note_and_a_consent_form_is_not():
    story = Story()
    story.case_discussion("talk", "ana", "Practitioner/ruth", ["Practitioner/maya"])
    assert of(story, "Communication/talk") & SENSITIVE == SUBSTANCE | MIND
    assert of(story, "DocumentReference/form-ana") == {LAW, "R"}


def test_a_counselling_note_is_very_restricted_and_its_text_with_it():
    story = Story()
    story.counseling_note("d-own", "ben", "omar")
    for target in ("DocumentReference/d-own", "Binary/b-own"):
        assert of(story, target) == {"PSYTHPN", "PSY", "BH", "R", "V"}


def test_a_raised_label_stays_and_restricts():
    story = Story()
    story.find("Observation/o-ben-mood")["meta"] = {"security": [coding(ACT, "HIV")]}
    assert of(story, "Observation/o-ben-mood") == {"HIV", "R"}


def test_the_law_asks_for_a_program_and_a_substance():
    story = Story()
    story.find("Organization/org-cir")["extension"][0]["valueBoolean"] = False
    assert LAW not in of(story, "Condition/cond-ana-aud")
    story = Story()
    story.find("EpisodeOfCare/eoc-ana")["diagnosis"].pop(0)
    assert LAW not in of(story, "Condition/cond-ana-aud")
    assert of(story, "DocumentReference/d-ana-2") & SENSITIVE == MIND


def test_what_a_program_sent_is_under_the_law_whoever_sent_it_for_the_program():
    story = Story()
    role = story.find("ServiceRequest/sr-ls-401")
    role["requester"] = ref("PractitionerRole/patel")
    assert LAW in of(story, "ServiceRequest/sr-ls-401")
    role["requester"] = ref("Organization/org-harbor")
    assert LAW not in of(story, "ServiceRequest/sr-ls-401")


def test_a_provenance_is_under_the_law_and_else_unlabelled():
    assert LABELS.of(WORLD["Provenance", "prov-d-ana-1"]) == {LAW, "R"}
    assert not LABELS.of(WORLD["Provenance", "prov-d-ben-1"])


def test_what_points_at_itself_is_labelled_all_the_same():
    story = Story()
    story.find("Encounter/e-ben-1")["reasonReference"] += [ref("Encounter/e-ben-1")]
    assert of(story, "Encounter/e-ben-1") == {"BH", "R"}
