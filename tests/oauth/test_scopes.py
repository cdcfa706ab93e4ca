"""What is granted of what is asked for, and what that opens (checklist E)."""

import pytest

from recovery_api.domain.codes import CANON
from tests.api import Api, Client
from tests.oauth.apps import CALLBACK, Page, Register, Smart, types

TYPES = [
    "AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Device", "DiagnosticReport", "DocumentReference", "Goal", "Immunization",
    "MedicationRequest", "Observation", "Patient", "Procedure", "Encounter", "ServiceRequest", "Coverage", "MedicationDispense",
    "Specimen", "Location",
]  # fmt: skip
EVERYTHING = "launch/patient openid fhirUser " + " ".join(f"patient/{type_}.rs" for type_ in TYPES)
SESSION = f"category={CANON}/CodeSystem/observation-category|companion-session"
PROBLEM = "category=http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item"
GRANULAR = [
    f"patient/{type_}.rs?category={system}|{code}"
    for type_, system, codes in (
        ("Condition", "http://terminology.hl7.org/CodeSystem/condition-category", ("encounter-diagnosis", "problem-list-item")),
        ("Condition", "http://hl7.org/fhir/us/core/CodeSystem/condition-category", ("health-concern",)),
        ("Observation", "http://terminology.hl7.org/CodeSystem/observation-category", ("vital-signs", "laboratory")),
        ("Observation", "http://terminology.hl7.org/CodeSystem/observation-category", ("social-history", "survey")),
        ("Observation", "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", ("sdoh", "clinical-test")),
    )
    for code in codes
]


async def found(caller: Client, path: str, *, by_post: bool = False) -> set[str]:
    type_, _, query = path.partition("?")
    params = dict(pair.split("=", 1) for pair in query.split("&"))
    answer = await caller.form(f"{type_}/_search", **params) if by_post else await caller.get(path)
    assert answer.status == 200, answer.body
    return answer.ids


@pytest.mark.parametrize("half", [0, 1])
async def test_what_a_person_unticks_stays_closed_and_the_rest_is_open(smart: Smart, half: int) -> None:  # E01-E39
    unticked = TYPES[half::2]
    said = await smart.granted(EVERYTHING, "ana", patient=None, unticked=unticked)
    assert types(said["scope"]) == set(TYPES) - set(unticked)
    caller = smart.fhir(said["access_token"])
    for type_ in TYPES:
        if type_ != "Location":
            query = "_id=ana" if type_ == "Patient" else "patient=ana"
            assert (await caller.get(f"{type_}?{query}")).status == (403 if type_ in unticked else 200), type_


async def test_who_shares_nothing_of_the_record_says_no(smart: Smart) -> None:
    page = await smart.at_decision(EVERYTHING, "ana", None)
    assert smart.answer(await smart.submit(page, decision="allow", unticked=TYPES))["error"] == "access_denied"


async def test_granular_scopes_are_granted_as_they_were_asked_for(smart: Smart) -> None:  # E40
    said = await smart.granted(" ".join(["launch/patient", "patient/Patient.rs", *GRANULAR]), "ana", patient=None)
    assert {"patient/Patient.rs", *GRANULAR} <= set(said["scope"].split())


async def test_a_granular_scope_opens_what_matches_and_nothing_else(smart: Smart) -> None:  # E41-E43
    whole = smart.fhir((await smart.granted("user/Observation.rs user/Condition.rs", patient=None))["access_token"])
    part = smart.fhir((await smart.granted(f"user/Observation.rs?{SESSION} user/Condition.rs?{PROBLEM}", patient=None))["access_token"])
    for type_, scope in (("Observation", SESSION), ("Condition", PROBLEM)):
        everything, matching = await found(whole, f"{type_}?_count=1000"), await found(whole, f"{type_}?_count=1000&{scope}")
        for by_post in (False, True):
            assert await found(part, f"{type_}?_count=1000", by_post=by_post) == matching
            for search in ("patient=ana", "patient=ana&_sort=_id", "status=final" if type_ == "Observation" else "clinical-status=active"):
                assert await found(part, f"{type_}?{search}", by_post=by_post) == (await found(whole, f"{type_}?{search}")) & matching
        for id_ in sorted(everything):
            assert (await part.get(f"{type_}/{id_}")).status == (200 if id_ in matching else 404)
    assert matching_is_part(await found(whole, "Observation?_count=1000"), await found(part, "Observation?_count=1000"))


def matching_is_part(everything: set[str], matching: set[str]) -> bool:
    return matching <= everything and bool(matching)


async def test_a_person_chooses_kinds_of_conditions_and_observations(smart: Smart) -> None:  # E44
    kinds = [f"Observation?{SESSION}", f"Condition?{PROBLEM}"]
    scope = "launch/patient patient/Patient.rs patient/Observation.rs patient/Condition.rs"
    page = await smart.at_decision(scope, "ana", None)
    assert set(kinds) <= page.boxes("kind")
    said = (await smart.exchange(smart.answer(await smart.submit(page, decision="allow", ticked=kinds))["code"])).json()
    assert set(said["scope"].split()) == {
        "recovery/client", "launch/patient", "patient/Patient.rs", f"patient/Observation.rs?{SESSION}", f"patient/Condition.rs?{PROBLEM}",
    }  # fmt: skip


async def test_the_page_lists_the_types_and_tells_of_offline_access(smart: Smart) -> None:  # E46
    page = await smart.at_decision(f"{EVERYTHING} offline_access", "ana", None)
    assert page.boxes("line") == set(TYPES)
    assert all(type_ in page.text for type_ in TYPES)
    assert "offline_access" in page.text
    assert "90 days" in page.text


@pytest.mark.parametrize(
    ("username", "asked", "granted"),
    [
        ("maya", "user/Patient.cruds", "user/Patient.rs"),
        ("maya", "user/AuditEvent.rs user/Goal.rs", "user/Goal.rs"),
        ("maya", "system/Patient.rs user/Goal.rs", "user/Goal.rs"),
        ("maya", "user/Goal.write", "user/Goal.cu"),
        ("maya", "email phone user/Goal.rs", "user/Goal.rs"),
        ("maya", "recovery/companion user/Goal.r", "user/Goal.r"),
        ("ruth", "user/CareTeam.cruds", "user/CareTeam.crus"),
    ],
)
async def test_a_role_gets_no_more_than_it_may_ever_have(smart: Smart, username: str, asked: str, granted: str) -> None:
    said = await smart.granted(asked, username, patient=None)
    role = "companion" if username == "maya" else "case-manager"
    assert said["scope"] == f"recovery/{role} {granted}"
    assert "refresh_token" not in said


async def test_a_wildcard_is_granted_type_by_type(smart: Smart) -> None:
    said = await smart.granted("user/*.rs", patient=None)
    assert {"Patient", "Observation", "Task"} <= types(said["scope"])
    assert not types(said["scope"]) & {"*", "AuditEvent", "Group"}
    assert (await smart.fhir(said["access_token"]).get("Patient/ana")).status == 200


@pytest.mark.parametrize("scope", ["recovery/case-manager user/Patient.rs", "recovery/admin", "user/AuditEvent.rs", "email"])
async def test_another_role_or_nothing_at_all_is_refused(smart: Smart, scope: str) -> None:
    page = Page(await smart.authorize(scope))
    assert smart.answer(await smart.follow(await smart.sign_in(page)))["error"] == "invalid_scope"


async def test_an_app_gets_no_more_than_it_was_registered_for(shared: Api, register: Register) -> None:
    app = await register(shared, "public", redirect_uris=(CALLBACK,), scope=f"openid user/Patient.rs user/Observation.rs?{SESSION}")
    said = await app.granted("openid fhirUser online_access user/Patient.crs user/Observation.crs user/Goal.rs", patient=None)
    assert said["scope"] == f"recovery/companion openid user/Patient.rs user/Observation.rs?{SESSION}"


async def test_an_app_for_one_role_is_for_no_other(shared: Api, register: Register) -> None:
    app = await register(shared, "public", redirect_uris=(CALLBACK,), role="case-manager")
    page = Page(await app.authorize("user/Patient.rs"))
    assert app.answer(await app.follow(await app.sign_in(page)))["error"] == "access_denied"


async def test_a_person_finds_only_whom_their_role_opens(smart: Smart) -> None:
    page = Page(await smart.follow(await smart.sign_in(Page(await smart.authorize("launch/patient user/Patient.rs")))))
    assert page.choices("patient") == {"ana", "cora", "eve"}
    page = Page(await smart.submit(page, 0, search="cora"))
    assert page.choices("patient") == {"cora"}
    for nobody in ("ben", "nobody"):
        again = Page(await smart.choose(page, nobody))
        assert again.forms[0].action == "/oauth/patient"
    assert Page(await smart.submit(page, 0, search="ben")).choices("patient") == set()
