import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recovery_api.identity.scopes import CONTEXTS, LETTERS, UNRESTRICTED, Condition, ResourceScope, Scopes, resource_scope, role_scopes

SURVEY = "category=http://terminology.hl7.org/CodeSystem/observation-category|survey"
IN_PATIENT = Condition(in_patient=True)

queries = st.lists(st.sampled_from(["category=a|b", "_tag=x", "code=http://loinc.org|1-8,2-6", "a.b:c=d"]), max_size=3).map("&".join)
resource_scopes = st.builds(
    ResourceScope,
    st.sampled_from(sorted(CONTEXTS)),
    st.sampled_from(["*", "Patient", "Observation", "DocumentReference"]),
    st.sets(st.sampled_from(LETTERS), min_size=1).map(lambda letters: "".join(letter for letter in LETTERS if letter in letters)),
    queries,
)


@pytest.mark.parametrize(
    ("word", "scope"),
    [
        ("user/Patient.rs", ResourceScope("user", "Patient", "rs")),
        ("patient/*.cruds", ResourceScope("patient", "*", "cruds")),
        ("system/Observation.d", ResourceScope("system", "Observation", "d")),
        (f"user/Observation.rs?{SURVEY}", ResourceScope("user", "Observation", "rs", SURVEY)),
        ("user/Observation.rs?code=a&_tag=b", ResourceScope("user", "Observation", "rs", "code=a&_tag=b")),
        ("user/Patient.read", ResourceScope("user", "Patient", "rs")),
        ("user/Patient.write", ResourceScope("user", "Patient", "cud")),
        ("user/*.*", ResourceScope("user", "*", "cruds")),
    ],
)
def test_a_resource_scope_of_either_version_is_read(word: str, scope: ResourceScope) -> None:
    assert resource_scope(word) == scope


@pytest.mark.parametrize(
    "word",
    [
        "user/Patient", "user/Patient.", "user/Patient.sr", "user/Patient.rr", "user/Patient.x", "user/Patient.rsx", "user/Patient.RS",
        "user/.rs", "user/patient.rs", "user/**.rs", "user/Patient.rs?", "user/Patient.rs?a", "user/Patient.rs?a=", "user/Patient.rs?=b",
        "user/Patient.rs?a=b&",
        "user/Patient.rs?a=b?c=d", "user/Patient.read?a=b", "users/Patient.rs", "/Patient.rs", "user/Patient.rs\n", "user/Pati.ent.rs",
        "user/Patient.rs#x", "user/Patient.reads", "User/Patient.rs", "system//Patient.rs", "user/P\u0430tient.rs",
    ],
)  # fmt: skip
def test_a_malformed_scope_is_none_and_opens_nothing(word: str) -> None:
    assert resource_scope(word) is None
    scopes = Scopes.parse(f"recovery/companion {word}")
    assert not any(scopes.allows(type_, letter) for type_ in ("Patient", "*", "patient", "") for letter in LETTERS)


@given(resource_scopes)
def test_a_scope_is_read_as_it_is_written(scope: ResourceScope) -> None:
    assert resource_scope(str(scope)) == scope


@given(st.text(max_size=40).map(lambda end: f"user/Observation.{end}"))
@example("user/Observation.cruds")
@example("user/Observation.")
def test_letters_are_read_only_in_their_order(word: str) -> None:
    scope = resource_scope(word)
    assert (scope is not None) == bool(
        re.fullmatch(r"user/Observation\.(read|write|\*|(?!$|\?)c?r?u?d?s?(\?[^=&\s]+=[^&\s?#]+(&[^=&\s]+=[^&\s?#]+)*)?)", word)
    ) or (scope is None and "?" in word)


@given(st.lists(resource_scopes, max_size=6), st.sampled_from(["Patient", "Observation", "Task"]), st.sampled_from(LETTERS))
def test_scopes_allow_what_one_of_them_allows(scopes: list[ResourceScope], type_: str, letter: str) -> None:
    allowed = Scopes.parse(" ".join(map(str, scopes))).allows(type_, letter)
    fitting = {
        Condition(scope.query, scope.context == "patient") for scope in scopes if scope.type in {type_, "*"} and letter in scope.letters
    }
    assert set(allowed) <= fitting
    assert all(any(wide.query in {"", one.query} and (not wide.in_patient or one.in_patient) for wide in allowed) for one in fitting)
    assert (UNRESTRICTED in allowed) == (UNRESTRICTED in fitting)
    assert UNRESTRICTED not in allowed or allowed == (UNRESTRICTED,)


@given(st.lists(resource_scopes, max_size=6), st.sets(st.sampled_from(sorted(CONTEXTS))))
def test_no_scope_of_another_context_counts(scopes: list[ResourceScope], contexts: set[str]) -> None:
    narrowed = Scopes.parse(" ".join(map(str, scopes))).within(contexts)
    assert narrowed == Scopes.parse(" ".join(str(scope) for scope in scopes if scope.context in contexts))


@given(st.text(max_size=80))
def test_any_text_can_be_parsed(text: str) -> None:
    scopes = Scopes.parse(text)
    assert len(scopes.roles) + len(scopes.resources) + len(scopes.others) + len(scopes.malformed) <= len(text.split(" "))


def test_the_kinds_of_scopes_are_kept_apart() -> None:
    scopes = Scopes.parse(
        "openid recovery/companion  user/Patient.rs launch/patient user/Patient.read user/Patient.oops openid recovery/companion"
    )
    assert scopes.roles == ("companion",)
    assert scopes.resources == (ResourceScope("user", "Patient", "rs"),)
    assert scopes.others == ("openid", "launch/patient")
    assert scopes.malformed == ("user/Patient.oops",)
    assert str(scopes) == "recovery/companion openid launch/patient user/Patient.rs"


@pytest.mark.parametrize(
    ("text", "type_", "letter", "conditions"),
    [
        ("user/Patient.rs", "Patient", "r", (UNRESTRICTED,)),
        ("user/Patient.rs", "Patient", "c", ()),
        ("user/Patient.rs", "Observation", "r", ()),
        ("user/*.rs", "Observation", "s", (UNRESTRICTED,)),
        ("user/*.rs user/Observation.c", "Observation", "s", (UNRESTRICTED,)),
        ("user/*.rs user/Observation.c", "Patient", "c", ()),
        (f"user/Observation.rs?{SURVEY}", "Observation", "r", (Condition(SURVEY),)),
        (f"user/Observation.rs?{SURVEY} user/Observation.rs", "Observation", "r", (UNRESTRICTED,)),
        ("user/Observation.r?code=a user/Observation.r?code=b", "Observation", "r", (Condition("code=a"), Condition("code=b"))),
        ("patient/Observation.rs", "Observation", "r", (IN_PATIENT,)),
        ("patient/Observation.rs user/Observation.r?code=a", "Observation", "r", (IN_PATIENT, Condition("code=a"))),
        ("patient/Observation.r?code=a patient/*.r", "Observation", "r", (IN_PATIENT,)),
        ("patient/Observation.r?code=a user/*.r?code=a", "Observation", "r", (Condition("code=a"),)),
    ],
)
def test_a_condition_is_as_wide_as_the_scopes_and_no_wider(text: str, type_: str, letter: str, conditions: tuple[Condition, ...]) -> None:
    assert Scopes.parse(text).allows(type_, letter) == conditions


def test_the_scopes_of_a_role_are_made_from_what_it_may() -> None:
    granted: dict[str, Any] = {"Patient": "sr", "Binary": ["u", "c", "r"], "Group": ""}
    assert role_scopes("companion", "user", granted) == "recovery/companion user/Patient.rs user/Binary.cru"
