"""Every search combination that US Core 7 asks for, over its own examples and realistic patients (the checklist's H07 to H12)."""

from datetime import date, timedelta
from operator import ge, gt, le, lt

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Client, Response
from tests.http.us_core_charts import Charts
from tests.http.us_core_searches import SEARCHES, day, values

ASKED = [(kind, tuple(search.split("+"))) for kind, searches in SEARCHES.items() for search in searches]
TODAY = "2026-11-10"


def said(resource: JsonObject, code: str) -> list[str]:
    """What a resource says for a parameter, as a query may ask for it."""
    if code == "_id":
        return [resource["id"]]
    return [TODAY] if code == "_lastUpdated" else values(resource["resourceType"], code)(resource)


def answers(resource: JsonObject, code: str, asked: str) -> bool:
    """Whether the resource is what was asked for: equal, of the same day, a text with that start, or a period that goes on then."""
    if asked.startswith("gt"):
        return any(day(period.get("end", "9999-12-31")) > asked[2:] for period in _periods(resource, code))
    if code not in {"_id", "_lastUpdated"} and values(resource["resourceType"], code).kind == "string":
        return any(each.casefold().startswith(asked.casefold()) for each in said(resource, code))
    return asked in said(resource, code)


def picked(charts: Charts, kind: str, codes: tuple[str, ...]) -> dict[str, str]:
    """The query of the first resource that says something for all of the parameters; of a period, that it has not ended before."""
    resource = next(each for each in charts.resources[kind] if _fits(charts, each, codes))
    query = {code: said(resource, code)[0] for code in codes}
    for code in codes:
        if code != "_id" and _periods(resource, code):
            query[code] = f"gt{date.fromisoformat(query[code]) - timedelta(days=1)}"
    return query


def _fits(charts: Charts, resource: JsonObject, codes: tuple[str, ...]) -> bool:
    """It says something for all of the parameters, and its encounter is there: a reference that leads nowhere finds nothing."""
    encounters = {f"Encounter/{each['id']}" for each in charts.resources["Encounter"]}
    known = "encounter" not in codes or not encounters.isdisjoint(said(resource, "encounter"))
    return known and all(said(resource, code) for code in codes)


async def all_of(ruth: Client, kind: str, **query: str) -> list[JsonObject]:
    pages = await ruth.pages(kind, _count=1000, **query)
    assert {page.status for page in pages} == {200}, pages[-1].body
    return [match for page in pages for match in page.matches]


@pytest.mark.parametrize(("kind", "codes"), ASKED, ids=[f"{kind}?{'+'.join(codes)}" for kind, codes in ASKED])
async def test_a_search_of_us_core_finds_something_and_only_what_matches(charts: Charts, kind: str, codes: tuple[str, ...]) -> None:
    """H07; H08: POST finds as much as GET; H09: `patient=ID` as `patient=Patient/ID`; H10: a code alone no less than with its system."""
    ruth, query = charts.ruth, picked(charts, kind, codes)
    found = await all_of(ruth, kind, **query)
    assert found
    for resource in found:
        assert resource["resourceType"] == kind
        assert all(answers(resource, code, asked) for code, asked in query.items()), (query, resource)
    ids = {each["id"] for each in found}
    expected = {each["id"] for each in charts.resources[kind] if all(answers(each, code, asked) for code, asked in query.items())}
    assert ids == expected
    posted = await ruth.form(f"{kind}/_search", **query, _summary="count")
    assert posted.json["total"] == len(ids)
    for code, asked in query.items():
        if code == "patient":
            alone = query | {code: asked.partition("/")[2]}
            assert {each["id"] for each in await all_of(ruth, kind, **alone)} == ids
        elif "|" in asked and code not in {"identifier", "_id"}:
            assert {each["id"] for each in await all_of(ruth, kind, **query | {code: asked.partition("|")[2]})} >= ids


DATES = [(kind, codes) for kind, codes in ASKED if len(codes) > 1 and codes[-1][0] != "_" and values(kind, codes[-1]).kind == "date"]


@pytest.mark.parametrize(("kind", "codes"), DATES, ids=[f"{kind}?{'+'.join(codes)}" for kind, codes in DATES])
async def test_dates_are_compared_as_us_core_asks(charts: Charts, kind: str, codes: tuple[str, ...]) -> None:
    """H11: a day before and a day after what is there."""
    ruth, query, code = charts.ruth, picked(charts, kind, codes), codes[-1]
    there = date.fromisoformat(query.pop(code).removeprefix("gt"))
    before, after = (there - timedelta(days=1)).isoformat(), (there + timedelta(days=1)).isoformat()
    exact = {each["id"] for each in await all_of(ruth, kind, **query, **{code: there.isoformat()})}
    dated = {each["id"] for each in await all_of(ruth, kind, **query, **{f"{code}:missing": "false"})}
    for compare, bound, other in ((gt, before, "le"), (ge, before, "lt"), (lt, after, "ge"), (le, after, "gt")):
        prefix = compare.__name__
        inside = await all_of(ruth, kind, **query, **{code: prefix + bound})
        assert exact <= {each["id"] for each in inside} <= dated, prefix
        outside = {each["id"] for each in await all_of(ruth, kind, **query, **{code: other + bound})}
        assert {each["id"] for each in inside} | outside == dated, prefix
        points = [moment for each in inside if not _periods(each, code) for moment in said(each, code)]
        assert all(compare(moment, bound) for moment in points), prefix


def _periods(resource: JsonObject, code: str) -> list[JsonObject]:
    """What a resource says that lasts, and may be on both sides of a bound."""
    return [] if code.startswith("_") else values(resource["resourceType"], code).periods(resource)


STATUSES = {
    "Observation": "status", "Encounter": "status", "DiagnosticReport": "status", "DocumentReference": "status", "Procedure": "status",
    "CarePlan": "status", "CareTeam": "status", "Goal": "lifecycle-status", "Immunization": "status", "MedicationRequest": "intent",
    "Condition": "clinical-status",
}  # fmt: skip


@pytest.mark.parametrize("kind", STATUSES)
async def test_several_values_find_what_each_of_them_finds(charts: Charts, kind: str) -> None:
    """H12."""
    ruth, code = charts.ruth, STATUSES[kind]
    there = sorted({each for resource in charts.resources[kind] for each in said(resource, code)})
    each = [{one["id"] for one in await all_of(ruth, kind, **{code: value})} for value in there]
    together = {one["id"] for one in await all_of(ruth, kind, **{code: ",".join(there)})}
    assert together == set[str]().union(*each)
    assert len(together) == sum(1 for resource in charts.resources[kind] if said(resource, code))


async def test_the_capability_statement_declares_every_parameter_of_the_searches(charts: Charts) -> None:
    statement = (await charts.ruth.get("metadata")).json
    resources = statement["rest"][0]["resource"]
    declared = {each["type"]: {one["name"]: one["type"] for one in each.get("searchParam", ())} for each in resources}
    for kind, codes in ASKED:
        for code in codes:
            assert code in declared[kind], (kind, code)
            assert code.startswith("_") or declared[kind][code] == values(kind, code).kind


async def test_practitioner_roles_bring_their_practitioners_and_endpoints(charts: Charts) -> None:
    answer: Response = await charts.ruth.get(
        "PractitionerRole?practitioner=Practitioner/chen&_include=PractitionerRole:practitioner&_include=PractitionerRole:endpoint"
    )
    assert (answer.status, answer.ids, {each["id"] for each in answer.included}) == (200, {"chen"}, {"chen"})
