"""ViewDefinitions give the rows that SQL on FHIR describes (https://sql-on-fhir.org/ig)."""

import pickle
from datetime import UTC, date, datetime
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.view_definition import Column, View, ViewError

PATIENT: JsonObject = {
    "resourceType": "Patient",
    "id": "p",
    "active": True,
    "birthDate": "1990-04-02",
    "deceasedDateTime": "2026-11",
    "multipleBirthInteger": 2,
    "meta": {"lastUpdated": "2026-11-01T10:00:00+02:00"},
    "name": [{"family": "Gray", "given": ["Flo", "Ann"]}, {"family": "Moss", "given": ["Flo"]}],
    "telecom": [{"system": "phone", "value": "1"}],
    "contact": [{"telecom": [{"system": "email", "value": "2"}]}],
    "managingOrganization": {"reference": "Organization/o/_history/2"},
    "generalPractitioner": [{"reference": "Practitioner/q"}, {"reference": "https://x.example/Practitioner/r"}],
    "link": [],
}


def view(*select: JsonObject, **more: Any) -> View:
    return View({"resourceType": "ViewDefinition", "name": "v", "resource": "Patient", "select": list(select), **more})


def column(name: str, path: str, type: str = "string", ansi: str = "") -> JsonObject:
    return {"name": name, "path": path, "type": type, **({"tag": [{"name": "ansi/type", "value": ansi}]} if ansi else {})}


def columns(**paths: str) -> JsonObject:
    return {"column": [column(name, path) for name, path in paths.items()]}


@pytest.mark.parametrize(
    ("select", "rows"),
    [
        ([columns(id="id", none="maritalStatus.text")], [{"id": "p", "none": None}]),
        ([columns(key="getResourceKey()")], [{"key": "Patient/p"}]),
        ([columns(of="managingOrganization.getReferenceKey()")], [{"of": "Organization/o"}]),
        ([columns(org="managingOrganization.getReferenceKey(Person)")], [{"org": None}]),
        ([columns(who="generalPractitioner.getReferenceKey(Practitioner)")], [{"who": "Practitioner/q"}]),
        ([{"forEach": "name", **columns(f="family")}], [{"f": "Gray"}, {"f": "Moss"}]),
        ([columns(id="id"), {"forEach": "name.given", **columns(g="$this")}], [{"id": "p", "g": each} for each in ("Flo", "Ann", "Flo")]),
        ([columns(id="id"), {"forEach": "photo", **columns(u="url")}], []),
        ([columns(id="id"), {"forEachOrNull": "photo", **columns(u="url")}], [{"id": "p", "u": None}]),
        (
            [{"forEach": "name", **columns(f="family"), "select": [{"forEach": "given", **columns(g="$this")}]}],
            [{"f": "Gray", "g": "Flo"}, {"f": "Gray", "g": "Ann"}, {"f": "Moss", "g": "Flo"}],
        ),
        (
            [columns(id="id"), {"unionAll": [{"forEach": path, **columns(v="value")} for path in ("telecom", "contact.telecom")]}],
            [{"id": "p", "v": "1"}, {"id": "p", "v": "2"}],
        ),
        ([columns(all="name.first().given.join(', ')", no="photo.title.join(',')")], [{"all": "Flo, Ann", "no": None}]),
    ],
)
def test_a_select_gives_rows(select: list[JsonObject], rows: list[JsonObject]) -> None:
    assert view(*select).rows(PATIENT) == rows


def test_columns_have_the_values_and_types_that_they_say() -> None:
    typed = view(
        {
            "column": [
                column("active", "active", "boolean"),
                column("twin", "multipleBirth.ofType(integer)", "integer"),
                column("half", "1.5", "decimal"),
                column("born", "birthDate", "date", "DATE"),
                column("as_text", "birthDate", "date"),
                column("updated", "meta.lastUpdated", "instant", "TIMESTAMP WITH TIME ZONE"),
                column("inexact", "deceased.ofType(dateTime)", "dateTime", "TIMESTAMP WITH TIME ZONE"),
            ]
        }
    )
    assert typed.rows(PATIENT) == [
        {
            "active": True, "twin": 2, "half": 1.5, "born": date(1990, 4, 2), "as_text": "1990-04-02",
            "updated": datetime(2026, 11, 1, 8, tzinfo=UTC), "inexact": None,
        }
    ]  # fmt: skip
    assert typed.columns[:3] == (Column("active", "BOOLEAN"), Column("twin", "INTEGER"), Column("half", "DOUBLE PRECISION"))


def test_where_chooses_resources_and_constants_are_known() -> None:
    named = {"constant": [{"name": "system", "valueCode": "phone"}]}
    there, not_there = "telecom.where(system = %system).exists()", "active = false"
    assert view(columns(id="id"), where=[{"path": there}], **named).rows(PATIENT) == [{"id": "p"}]
    assert view(columns(id="id"), where=[{"path": there}, {"path": not_there}], **named).rows(PATIENT) == []
    assert view(columns(id="id"), where=[{"path": "gender = 'other'"}]).rows(PATIENT) == []
    assert view(columns(id="id")).rows({"resourceType": "Group", "id": "g"}) == []


def test_keys_stand_for_resources_and_a_view_travels() -> None:
    carried: View = pickle.loads(pickle.dumps(view(columns(key="getResourceKey()", of="managingOrganization.getReferenceKey()"))))
    assert carried.rows(PATIENT, str.upper) == [{"key": "PATIENT/P", "of": "ORGANIZATION/O"}]
    assert carried.rows_of('{"resourceType": "Patient", "id": "é"}') == [{"key": "Patient/é", "of": None}]


@pytest.mark.parametrize(
    "select",
    [
        {"repeat": ["link"], **columns(id="id")},
        {"column": [{"name": "given", "path": "name.given", "collection": True}]},
        {"column": [column("day", "birthDate", "date", "INTERVAL")]},
        {"column": [column("id", "id"), column("id", "id")]},
        {"unionAll": [columns(a="id"), columns(b="id")]},
        {"forEach": "deceased", **columns(value="$this")},
        columns(bad="unknownElement"),
        columns(bad="name."),
    ],
)
def test_what_cannot_be_run_is_refused(select: JsonObject) -> None:
    with pytest.raises(ViewError):
        view(select)


@pytest.mark.parametrize("path", ["name.given", "name.first()"])
def test_a_resource_that_does_not_fit_is_told_without_its_content(path: str) -> None:
    with pytest.raises(ViewError) as told:
        view(columns(given=path)).rows(PATIENT, lambda _: "key")
    assert "key" in str(told.value)
    assert not {"Gray", "Flo"} & set(str(told.value).replace(".", " ").split())
