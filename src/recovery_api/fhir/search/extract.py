"""From a resource to its index rows: one walk over its JSON along a plan that is compiled once per type."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any, cast
from zoneinfo import ZoneInfo

from recovery_api.fhir.dropping import Dependence, dependence, leans_on
from recovery_api.fhir.fhirpath import FhirPathError
from recovery_api.fhir.fhirpath import compile as fhirpath
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.search import emit
from recovery_api.fhir.search.compile_parameter import INDEXED
from recovery_api.fhir.search.content import content_words, narrative_words
from recovery_api.fhir.search.emit import Emit, RowValues
from recovery_api.fhir.search.expression import IndexRow, param_number
from recovery_api.fhir.search.parameters import Component, ParameterTable, SearchParameter
from recovery_api.fhir.search.paths import Leaf, Step
from recovery_api.fhir.search.references import Reference, read_reference

_new_row = cast(Callable[[RowValues], IndexRow], partial(tuple.__new__, IndexRow))  # pyright: ignore[reportUnknownMemberType]


@dataclass(slots=True)
class _Plan:
    """What to do at a member of a JSON object: emit rows from its value (or from each of its values), then walk into it."""

    emits: list[Emit] = field(default_factory=list[Emit])
    members: "dict[str, _Plan]" = field(default_factory=dict[str, "_Plan"])


class Extractor:
    """Extracts index rows; made once for a table, the server's own base URL, and the zone of dates without time."""

    def __init__(self, table: ParameterTable, base_url: str, zone: ZoneInfo) -> None:
        self._table, self._base_url, self._zone = table, base_url, zone
        self._plans: dict[str, _Plan] = {}

    def __call__(self, resource: JsonObject) -> list[IndexRow]:
        """The distinct index rows of a resource of a served type. What is not well formed raises ValueError or TypeError."""
        type_ = resource["resourceType"]
        plan = self._plans.get(type_)
        if plan is None:
            plan = self._plans[type_] = self._compile(type_)
        rows: list[IndexRow] = []
        _visit(resource, plan, rows)
        return list(dict.fromkeys(rows))

    def _compile(self, type_: str) -> _Plan:
        plan = _Plan()
        for parameter in self._table[type_].values():
            if not parameter.indexed or parameter.column in ("id", "last_updated"):
                continue
            if parameter.kind == "words":
                plan.emits.append(_words(parameter))
            if parameter.computed:
                plan.emits.append(self._computed(parameter))
            for root in parameter.roots:
                _place(plan, root.steps, self._composite(parameter))
            for leaf in parameter.leaves:
                if leaf.type == "said":
                    plan.emits.append(_said(parameter.number, tuple(step.member for step in leaf.steps)))
                else:
                    client = parameter.column == "client"
                    systems = parameter.systems.get(".".join(step.member for step in leaf.steps), "")
                    emits = self._emit(parameter.name, parameter.kind, leaf, client=client, systems=systems)
                    _place(plan, *self._leaning(parameter, leaf, emits))
        return plan

    def _leaning(self, parameter: SearchParameter, leaf: Leaf, emits: Emit) -> tuple[tuple[Step, ...], Emit]:
        """The place and the emitter of rows that say, as their second value, to which reference they belong, if to any."""
        leaning = dependence(parameter.type, tuple(step.member for step in leaf.steps)) if parameter.dependent else None
        if leaning is None:
            return leaf.steps, emits
        below = _Plan()
        _place(below, leaf.steps[leaning.depth :], emits)
        return leaf.steps[: leaning.depth], partial(_emit_leaning, leaning, below, self._base_url)

    def _computed(self, parameter: SearchParameter) -> Emit:
        path, emits = fhirpath(parameter.expression, parameter.type), dict[str, Emit]()

        def emit_computed(resource: JsonObject, rows: list[IndexRow]) -> None:
            with suppress(FhirPathError):  # what can't be said of this resource's data has no row
                for type_, value in path(resource):
                    if type_ in INDEXED[parameter.kind]:
                        each = emits.get(type_) or emits.setdefault(type_, self._emit(parameter.name, parameter.kind, Leaf((), type_)))
                        each(value, rows)

        return emit_computed

    def _emit(self, name: str, kind: str, leaf: Leaf, *, client: bool = False, systems: emit.Systems = "") -> Emit:
        match kind:
            case "token":
                return emit.token(name, leaf.type, systems)
            case "string":
                return emit.string(name, leaf.type)
            case "uri":
                return emit.uri(name, leaf.type)
            case "date":
                return emit.date(name, leaf.type, self._zone)
            case "number":
                return emit.number(name, leaf.type)
            case "quantity":
                return emit.quantity(name, leaf.type)
            case _:
                return emit.reference(name, leaf.type, leaf.target, self._base_url, skip_patients=client)

    def _composite(self, parameter: SearchParameter) -> Emit:
        first, second = (self._component(component) for component in parameter.components)
        join = _JOINS[parameter.components[1].kind]
        number = parameter.number

        def rows_of(element: JsonObject, rows: list[IndexRow]) -> None:
            seconds = second(element)
            if seconds:
                rows.extend(join(number, one, two) for one, two in product(first(element), seconds))

        return rows_of

    def _component(self, component: Component) -> Callable[[JsonObject], list[IndexRow]]:
        plan = _Plan()
        for leaf in component.leaves:
            _place(plan, leaf.steps, self._emit("", component.kind, leaf))
        members, plain = tuple(plan.members.items()), param_number("")

        def gather(element: JsonObject) -> list[IndexRow]:
            rows: list[IndexRow] = []
            for member, below in members:
                if member in element:
                    _visit(element[member], below, rows)
            return [row for row in rows if row[0] == plain]

        return gather


def _visit(value: Json, plan: _Plan, rows: list[IndexRow]) -> None:
    items = cast(list[Json], value) if type(value) is list else (value,)
    emits, members = plan.emits, plan.members
    for item in items:
        if item is not None:
            for each in emits:
                each(item, rows)
            if members:
                for member, inner in item.items():
                    below = members.get(member)
                    if below is not None:
                        _visit(inner, below, rows)


def _emit_leaning(leaning: Dependence, below: _Plan, base_url: str, element: JsonObject, rows: list[IndexRow]) -> None:
    made: list[IndexRow] = []
    _visit(element, below, made)
    text = leans_on(leaning, element)
    found = read_reference(text, base_url) if text else Reference("", "")
    rows.extend(row._replace(system2=found.type, value2=found.id) if found.type and row.value2 is None else row for row in made)


def _place(plan: _Plan, steps: tuple[Step, ...], what: Emit) -> None:
    """Put an emitter where the steps lead; a step with a condition is a plan of its own behind the check."""
    for place, step in enumerate(steps):
        plan = plan.members.setdefault(step.member, _Plan())
        if step.key:
            behind = _Plan()
            _place(behind, steps[place + 1 :], what)
            plan.emits.append(partial(_checked, step, behind))
            return
    plan.emits.append(what)


def _checked(step: Step, behind: _Plan, item: Any, rows: list[IndexRow]) -> None:
    found = item.get(step.key)
    holds = any(one.get("url") == step.equals for one in found or ()) if step.key == "extension" else found == step.equals
    if holds:
        _visit(item, behind, rows)


def _said(number: int, members: tuple[str, ...]) -> Emit:
    def emit_said(resource: JsonObject, rows: list[IndexRow]) -> None:
        said = any(resource.get(member) not in (None, False) for member in members)
        rows.append(_new_row((number, "", "true" if said else "false", None, None, None, None)))

    return emit_said


def _words(parameter: SearchParameter) -> Emit:
    number, found = parameter.number, content_words if parameter.code == "_content" else narrative_words

    def emit_words(resource: JsonObject, rows: list[IndexRow]) -> None:
        rows.extend(_new_row((number, None, word, None, None, None, None)) for word in found(resource))

    return emit_words


def _with_amount(number: int, one: IndexRow, two: IndexRow) -> IndexRow:
    return _new_row((number, one.system, one.value, two.system2, two.value2, two.low, two.high))


def _with_code(number: int, one: IndexRow, two: IndexRow) -> IndexRow:
    return _new_row((number, one.system, one.value, two.system, two.value, None, None))


def _with_text(number: int, one: IndexRow, two: IndexRow) -> IndexRow:
    return _new_row((number, one.system, one.value, None, two.value, None, None))


_JOINS: Mapping[str, Callable[[int, IndexRow, IndexRow], IndexRow]] = {
    "quantity": _with_amount,
    "number": _with_amount,
    "date": _with_amount,
    "token": _with_code,
    "reference": _with_code,
    "string": _with_text,
    "uri": _with_text,
}
