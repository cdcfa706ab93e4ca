"""The invariants of R4 (error severity): of the resource's type, its backbone elements and its data types, where they are present.

Each type has a plan: its own rules, and which JSON members lead to other types' plans. Checking walks only what is there.
A rule is kept when its expression is true. Where FHIRPath gives nothing it is broken, as official validators have it, save for UNDECIDED.
"""
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias, cast

from recovery_api.fhir.definitions import Element, Invariant, definitions
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.fhirpath import Env, Node, Scope, compile_condition
from recovery_api.fhir.fhirpath.members import descendants, resource_node
from recovery_api.fhir.fhirpath.reads import members_read
from recovery_api.fhir.json import Json, JsonObject

ELSEWHERE: Mapping[str, str] = {
    "ele-1": "An element has a value or children: structure checking refuses {}, [], null and empty strings.",
    "txt-1": "Which XHTML a narrative may use: the narrative check decides, with the place.",
    "txt-2": "A narrative has content that can be seen: the narrative check decides, with the place.",
}
"""The error-severity invariants that are not run here, by key, and why."""

UNDECIDED: Mapping[str, str] = {
    "per-1": "2024-05 and 2024 overlap: R5 words it so that only a start after the end is wrong.",
    "rng-2": "Bounds in different units can't be compared here.",
    "mdd-1": "As per-1: moments of different precision.",
    "inv-1": "As per-1: moments of different precision.",
    "bdl-8": "An entry may have no fullUrl.",
    "ras-2": "A prediction may have a qualitative risk and no probability.",
}
"""Rules that are kept where FHIRPath can't tell, by key, and why."""


Test: TypeAlias = Callable[[Scope, list[Node]], bool | None]


class Rule(NamedTuple):
    """One invariant: where the test doesn't hold for a node, it is broken; `undecided` is what an answer of None means.

    Where `needs` is given, it can only be broken by a value that has one of these members.
    """

    key: str
    human: str
    undecided: bool
    holds: Test
    needs: frozenset[str] | None


class Member(NamedTuple):
    """A JSON member to visit: its FHIR name, the type of what is in it ("" for a resource), and rules of this place alone."""

    name: str
    type: str
    rules: tuple[Rule, ...]


class Plan(NamedTuple):
    """What to check in values of one type: its rules, by what they need, and the members to visit."""

    type: str
    rules: tuple[tuple[frozenset[str] | None, tuple[Rule, ...]], ...]
    members: Mapping[str, Member]


Place: TypeAlias = tuple["Place | None", str, int | None]


def check(resource: JsonObject, type: str) -> list[Issue]:
    """Every broken invariant in a resource of this type that is structurally valid; none when it keeps all.

    Each issue has the invariant's key, its official wording, and the place ("Observation.component[0]").
    """
    issues: list[Issue] = []
    node = Node(type, resource)
    _visit(Scope(_ENV, node), resource, plan(type), (None, type, None), issues)
    return issues


_ENV = Env()


def is_kept(resource: JsonObject, type: str, value: JsonObject) -> bool:
    """Whether a value of this type, which stands in the resource, keeps the invariants of its own type."""
    due = [rule for needs, rules in plan(type).rules if needs is None or not needs.isdisjoint(value) for rule in rules]
    issues: list[Issue] = []
    _apply(due, Scope(_ENV, Node(resource["resourceType"], resource)), Node(type, value), (None, type, None), issues)
    return not issues


def _visit(scope: Scope, value: JsonObject, at: Plan, place: Place, issues: list[Issue]) -> None:
    due = [rule for needs, rules in at.rules if needs is None or not needs.isdisjoint(value) for rule in rules]
    if due:
        _apply(due, scope, Node(at.type, value), place, issues)
    members = at.members
    for key in value:
        if key in members:
            member, inner = members[key], value[key]
            if type(inner) is list:
                for index, each in enumerate(cast(list[Json], inner)):
                    if each is not None:
                        _enter(scope, each, member, (place, member.name, index), issues)
            else:
                _enter(scope, inner, member, (place, member.name, None), issues)


def _enter(scope: Scope, value: Json, member: Member, place: Place, issues: list[Issue]) -> None:
    if member.rules:
        _apply(member.rules, scope, Node(member.type, value), place, issues)
    if not member.type:
        node = resource_node(value)
        scope = Scope(_ENV, node, scope.resource if member.name == "contained" else None)
        _visit(scope, value, plan(node.type), place, issues)
    elif type(value) is dict:
        _visit(scope, cast(JsonObject, value), plan(member.type), place, issues)


def _apply(rules: Sequence[Rule], scope: Scope, node: Node, place: Place, issues: list[Issue]) -> None:
    focus = [node]
    scope.context = node
    for key, human, undecided, holds, _ in rules:
        answer = holds(scope, focus)
        if answer is False or (answer is None and not undecided):
            issues.append(Issue("invariant", human, _text(place), key=key))


def _text(place: Place) -> str:
    above, name, index = place
    here = name if index is None else f"{name}[{index}]"
    return here if above is None else f"{_text(above)}.{here}"


@cache
def plan(type: str) -> Plan:
    """The plan of a resource type, data type or backbone element. KeyError for an unknown type."""
    facts = definitions().type(type)
    own = [rule for rule in facts.invariants if rule.severity == "error" and rule.key not in ELSEWHERE]
    members: dict[str, Member] = {}
    for element in facts.elements.values():
        types = tuple(each.type for each in facts.choices[element.choice]) if element.choice else (element.type,)
        placed = tuple(_rule(rule, types) for rule in own if rule.element == element.choice)
        placed += tuple(_rule(rule, (element.type,)) for rule in own if rule.element == element.name)
        members |= _members(element, placed)
    rules = [_rule(rule, (type,)) for rule in own if not rule.element]
    needs = dict.fromkeys(rule.needs for rule in rules)
    return Plan(type, tuple((need, tuple(rule for rule in rules if rule.needs == need)) for need in needs), members)


def _members(element: Element, placed: tuple[Rule, ...]) -> dict[str, Member]:
    kind = definitions().type(element.type).kind
    name = element.choice or element.name
    if kind == "primitive":
        beside = {f"_{element.name}": Member(name, "Element", ())}
        return beside | ({element.name: Member(name, element.type, placed)} if placed else {})
    return {element.name: Member(name, "" if kind == "resource" else element.type, placed)}


@cache
def _rule(rule: Invariant, types: tuple[str, ...]) -> Rule:
    undecided = rule.key in UNDECIDED
    if rule.key in _COMPILED:
        return Rule(rule.key, rule.human, undecided, *_COMPILED[rule.key])
    holds = compile_condition(rule.expression, *types)
    needs = members_read(rule.expression, types[0]) if len(types) == 1 and not rule.element else None
    return Rule(rule.key, rule.human, undecided, holds, needs if needs and _kept_without(holds, types[0], undecided=undecided) else None)


def _kept_without(holds: Test, type_: str, *, undecided: bool) -> bool:
    """Whether a value that has nothing of what a rule reads keeps the rule."""
    node = Node(type_, {})
    answer = holds(Scope(_ENV, node), [node])
    return undecided if answer is None else answer


def _references_resolve(scope: Scope, focus: list[Node]) -> bool:
    """ref-1, for the expression looks through all contained resources for each reference."""
    reference = focus[0].value.get("reference")
    if reference is None or reference[:1] != "#" or reference == "#":
        return True
    return any(each.get("id") == reference[1:] for each in cast(JsonObject, scope.root.value).get("contained", ()))


def _contained_are_referenced(_: Scope, focus: list[Node]) -> bool:
    """dom-3, for the expression walks the whole resource once for each contained one."""
    contained = cast(list[JsonObject], focus[0].value.get("contained", ()))
    if not contained:
        return True
    named = _local_references(focus)
    return all(f"#{each.get('id')}" in named or "#" in _local_references([resource_node(each)]) for each in contained)


def _local_references(nodes: list[Node]) -> set[str]:
    found: set[str] = set()
    for node in descendants(nodes):
        value = node.value.get("reference") if node.type == "Reference" else node.value if node.type in _ADDRESSES else None
        if isinstance(value, str) and value[:1] == "#":
            found.add(value)
    return found


_ADDRESSES = frozenset({"canonical", "uri", "url"})
_COMPILED: Mapping[str, tuple[Test, frozenset[str]]] = {
    "ref-1": (_references_resolve, frozenset({"reference"})),
    "dom-3": (_contained_are_referenced, frozenset({"contained"})),
}
