"""The SQL of an expression finds what the expression means in memory, among what may be seen."""

import random
from collections.abc import Mapping
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery_api.fhir.search.expression import (
    EVERYTHING,
    NOTHING,
    And,
    Chain,
    Expression,
    Has,
    IndexRow,
    Not,
    Or,
    Own,
    Row,
    param_number,
)
from recovery_api.fhir.search.expression import Test as Passes
from recovery_api.fhir.search.match import Resources, View, match
from recovery_api.fhir.search.parameters import ParameterTable
from recovery_api.store.bulk import Item, load
from recovery_api.store.records import Facets
from recovery_api.store.search import SearchQuery
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM, Visibility
from tests.store.conftest import Parameters

TABLE = cast("ParameterTable", Parameters())
TYPES = ("Patient", "Encounter", "Observation")
TEXTS = ("", "a", "ab", "abc", "b", "é", "éa", "\ud7ff", "\U0010ffff", "%", "_")
NUMBERS = (-1.5, 0.0, 1.0, 2.5)
IDS = {"Patient": ("p0", "p1", "p2"), "Encounter": ("e0", "e1", "e2", "x"), "Observation": (*(f"o{n}" for n in range(12)), "x")}
TEXT_PARAMS = {"Patient": ["Patient.name"], "Encounter": ["Encounter.class"], "Observation": ["Observation.code", "Observation.note"]}
RANGE_PARAMS = {"Patient": ["Patient.birthdate"], "Encounter": [], "Observation": ["Observation.date", "Observation.value-quantity"]}
REFERENCES = {
    "Patient": {"Patient.link": ("Patient",)},
    "Encounter": {"Encounter.patient": ("Patient",), "Encounter.part-of": ("Encounter",)},
    "Observation": {
        "Observation.patient": ("Patient",),
        "Observation.subject": ("Patient", "Encounter"),
        "Observation.encounter": ("Encounter",),
    },
}
CLIENT_PARAMS = {"Encounter.patient", "Observation.patient"}


def _row(source: random.Random, type_: str) -> IndexRow:
    kind = source.choice(["text", "text", "range", "reference"])
    if kind == "range" and RANGE_PARAMS[type_]:
        low = source.choice(NUMBERS)
        high = low + source.choice((0.0, 1.0))
        return IndexRow(param_number(source.choice(RANGE_PARAMS[type_])), low=low, high=high, system2=source.choice((None, "u")))
    references = {name: targets for name, targets in REFERENCES[type_].items() if name not in CLIENT_PARAMS}
    if kind == "reference" and references:
        name = source.choice(list(references))
        target = source.choice(references[name])
        return IndexRow(param_number(name), target, source.choice(IDS[target]))
    texts = [text for text in TEXTS if text != "\ud7ff"]
    value2 = source.choice((None, *texts))
    return IndexRow(param_number(source.choice(TEXT_PARAMS[type_])), source.choice((None, "", "s")), source.choice(texts), None, value2)


def _world(seed: int) -> list[View]:
    source = random.Random(seed)
    return [
        View(
            type_,
            id_,
            tuple(_row(source, type_) for _ in range(source.randrange(6))),
            client=id_ if type_ == "Patient" else source.choice(("", *IDS["Patient"])),
            kind=source.choice(("", "note")),
            released=source.choice((True, False)),
            labels=source.choice((0, 1, 2, 6)),
        )
        for type_ in TYPES
        for id_ in IDS[type_]
    ]


texts = st.sampled_from(TEXTS)
text_tests = st.builds(
    Passes,
    st.sampled_from(("system", "value", "value2")),
    st.sampled_from(("=", "!=", "<", "<=", ">", ">=", "prefix", "contains", "extends")),
    texts.filter(lambda text: text != "\ud7ff"),
)
range_tests = st.builds(
    Passes, st.sampled_from(("low", "high")), st.sampled_from(("=", "!=", "<", "<=", ">", ">=")), st.sampled_from(NUMBERS)
)
reference_tests = st.one_of(
    st.builds(Passes, st.just("system"), st.sampled_from(("=", "!=")), st.sampled_from(TYPES)),
    st.builds(Passes, st.just("value"), st.sampled_from(("=", "!=", "prefix")), st.sampled_from(("p0", "p1", "e0", "x", "e"))),
)


def _rows(names: list[str], tests: st.SearchStrategy[Passes]) -> st.SearchStrategy[Expression]:
    return st.builds(Row, st.sampled_from(names), st.lists(tests, max_size=2).map(tuple)) if names else st.just(NOTHING)


def expressions(type_: str, depth: int = 2) -> st.SearchStrategy[Expression]:
    leaves = [
        _rows(TEXT_PARAMS[type_], text_tests),
        _rows(RANGE_PARAMS[type_], range_tests),
        _rows([name for name in REFERENCES[type_] if name not in CLIENT_PARAMS], reference_tests),
        st.builds(Own, st.just("client"), st.sampled_from(("=", "!=")), st.sampled_from(("", *IDS["Patient"]))),
        st.builds(Own, st.just("id"), st.sampled_from(("=", "<", "prefix")), st.sampled_from(IDS[type_])),
        st.builds(Own, st.just("released"), st.just("="), st.booleans()),
        st.builds(Own, st.just("labels"), st.just("lacks"), st.sampled_from((0, 1, 3, 4))),
    ]
    if not depth:
        return st.one_of(leaves)
    below = st.deferred(lambda: expressions(type_, depth - 1))
    parts = st.lists(below, max_size=3).map(tuple)
    nodes = [*leaves, st.builds(And, parts), st.builds(Or, parts), st.builds(Not, below)]
    for name, targets in REFERENCES[type_].items():
        wheres = [st.tuples(st.just(target), expressions(target, depth - 1)) for target in targets]
        nodes.append(st.builds(Chain, st.just(name), st.tuples(*wheres)))
    for source in TYPES:
        for name, targets in REFERENCES[source].items():
            if type_ in targets:
                nodes.append(st.builds(Has, st.just(source), st.just(name), expressions(source, depth - 1)))
    return st.one_of(nodes)


rules = st.fixed_dictionaries(
    {
        type_: st.sampled_from((EVERYTHING, NOTHING, Own("client", "=", "p0"), Own("released", "=", True), Not(Own("kind", "=", "note"))))
        for type_ in TYPES
    }
)


@pytest.fixture(params=[1])
async def world(request: pytest.FixtureRequest, store: Store) -> list[View]:
    views = _world(request.param)
    async with store.writer(SYSTEM) as writer:
        facets = [Facets(view.client, view.kind, view.released, labels=view.labels) for view in views]
        items = [Item(view.type, view.id, 1, False, b"{}", one, view.rows) for view, one in zip(views, facets, strict=True)]
        await load(writer, items)
    return views


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(asked=st.sampled_from(TYPES).flatmap(lambda type_: st.tuples(st.just(type_), expressions(type_))), allowed=rules)
async def test_sql_finds_what_the_expression_means(
    store: Store, world: list[View], asked: tuple[str, Expression], allowed: Mapping[str, Expression]
) -> None:
    type_, where = asked
    unruled = Resources(TABLE, ())
    known = Resources(TABLE, [view for view in world if match(allowed[view.type], view, unruled)])
    meant = {view.id for view in known.of(type_) if match(where, view, known)}
    async with store.reader(Visibility(repr(allowed), allowed)) as reader:
        page = await reader.search(SearchQuery((type_,), where, count=1000))
        assert {record.id for record in page.records} == meant
        assert await reader.count(SearchQuery((type_,), where)) == len(meant)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(where=st.tuples(*(expressions(type_, 1) for type_ in TYPES)), allowed=rules)
async def test_a_search_over_several_types_finds_what_each_would(
    store: Store, world: list[View], where: tuple[Expression, ...], allowed: Mapping[str, Expression]
) -> None:
    unruled = Resources(TABLE, ())
    known = Resources(TABLE, [view for view in world if match(allowed[view.type], view, unruled)])
    meant = {(v.type, v.id) for type_, one in zip(TYPES, where, strict=True) for v in known.of(type_) if match(one, v, known)}
    either = Or(tuple(And((Own("type", "=", type_), one)) for type_, one in zip(TYPES, where, strict=True)))
    async with store.reader(Visibility(repr(allowed), allowed)) as reader:
        page = await reader.search(SearchQuery(TYPES, either, count=1000))
        assert {(record.type, record.id) for record in page.records} == meant
        assert len(page.records) == len(meant)
