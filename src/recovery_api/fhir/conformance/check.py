"""Checks a resource against a profile: cardinalities, types, fixed values and patterns, bindings, slices, targets and invariants.

That an element "must be supported" is no rule for an instance. Places are as in `fhir/profile.py`.
"""
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Final

from recovery_api.fhir.conformance.slicing import sliced
from recovery_api.fhir.conformance.structures import FIXED, PATTERN, Constraint, is_known, tree, type_of
from recovery_api.fhir.conformance.values import Value, holds, is_bound, values
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.fhirpath import Condition, Env, FhirPathError, Node, Scope, compile_condition
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_object
from recovery_api.fhir.references import parse_reference

LIMITS: Final = (("minValue", "less than", -1), ("maxValue", "more than", 1))
_ENV: Final = Env()


def check(resource: JsonObject, url: str) -> list[Issue]:
    """What a structurally sound resource does not keep of a profile that is known; errors first, then warnings.

    Each issue names the profile as its key, or the invariant. Raises KeyError for a profile that is not known.
    """
    if not is_known(url):
        raise KeyError(url)
    type = resource["resourceType"]
    if type_of(url) != type:
        return [Issue("structure", f"{url[:200]} is a profile of {type_of(url)}, not of {type}.", type, key=_name(url))]
    visit = _Visit(_name(url), Scope(_ENV, Node(type, resource)))
    found = list(visit.element(tree(url), Value(resource, type, type), type))
    return sorted(dict.fromkeys(found), key=lambda issue: issue.severity != "error")


def _name(url: str) -> str:
    return url.partition("|")[0].rpartition("/")[2]


class _Visit:
    """One walk through a resource, for one profile."""

    def __init__(self, key: str, scope: Scope) -> None:
        self._key = key
        self._scope = scope

    def element(self, asked: Constraint, value: Value, place: str) -> Iterator[Issue]:
        """What is wrong with one value, and in it."""
        yield from self._value(asked, value, place)
        holder, type = value.members
        for child in asked.children.values():
            found = values(holder, type, child.name)
            at = f"{place}.{child.bare}"
            yield from self._number(child.said, len(found), at, child.bare)
            for one in found:
                yield from self.element(child, one, f"{place}.{one.step}")
            if child.slices:
                yield from self._slices(child, found, place)

    def _slices(self, asked: Constraint, found: list[Value], place: str) -> Iterator[Issue]:
        taken, rest = sliced(asked, found)
        for name, slice in asked.slices.items():
            yield from self._number(slice.said, len(taken[name]), f"{place}.{asked.bare}", f"{asked.bare}:{name}")
            for one in taken[name]:
                yield from self.element(slice, one, f"{place}.{one.step}")
        if asked.said.get("slicing", {}).get("rules") == "closed":
            for one in rest:
                yield self._issue("structure", f"is none of: {', '.join(asked.slices)}", f"{place}.{one.step}")

    def _number(self, said: JsonObject, count: int, place: str, name: str) -> Iterator[Issue]:
        low, high = said.get("min", 0), said.get("max", "*")
        if count < low:
            more = "is required" if low == 1 else f"is required {low} times"
            yield self._issue("required", f"{name} {more}", place, named=True)
        if high != "*" and count > int(high):
            most = "is not allowed" if high == "0" else f"may stand {high} times at most" if high != "1" else "may stand once"
            yield self._issue("structure", f"{name} {most}", place, named=True)

    def _value(self, asked: Constraint, value: Value, place: str) -> Iterator[Issue]:
        types = {one["code"] for one in asked.types()}
        if asked.name.endswith("[x]") and types and value.type not in types:
            yield self._issue("structure", f"is a {value.type}, and must be of: {', '.join(sorted(types))}", place)
            return
        if value.json is not None:
            yield from self._content(asked, value, place)
        for rule in asked.said.get("constraint", ()):
            yield from self._invariant(rule, value, place)
        profiles = asked.profiles(value.type)
        if profiles and all(map(is_known, profiles)):
            ways = [list(self.element(tree(url), value, place)) for url in profiles]
            yield from min(ways, key=lambda issues: sum(issue.severity == "error" for issue in issues))

    def _content(self, asked: Constraint, value: Value, place: str) -> Iterator[Issue]:
        fixed, pattern = asked.value(FIXED), asked.value(PATTERN)
        if fixed is not None and value.json != fixed:
            yield self._issue("value", f"must be {_shown(fixed)}", place)
        if pattern is not None and not holds(value.json, pattern):
            yield self._issue("value", f"must hold {_shown(pattern)}", place)
        for limit, than, sign in LIMITS:
            bound = asked.value(limit)
            if bound is not None and isinstance(value.json, int | Decimal) and (value.json - bound) * sign > 0:
                yield self._issue("value", f"must not be {than} {bound}", place)
        if not is_bound(asked, value, "required"):
            yield self._issue("code-invalid", f"needs a code of {asked.said['binding']['valueSet']}", place)
        elif not is_bound(asked, value, "extensible"):
            says = f"has no code of {asked.said['binding']['valueSet']}, which is to be used where one fits"
            yield self._issue("code-invalid", says, place, severity="warning")
        if value.type == "Reference":
            yield from self._target(asked, value, place)

    def _target(self, asked: Constraint, value: Value, place: str) -> Iterator[Issue]:
        targets = [type_of(url) for one in asked.types() for url in one.get("targetProfile", ())]
        literal = parse_reference(value.json.get("reference", ""))
        if targets and None not in targets and "Resource" not in targets and literal and literal.type and literal.type not in targets:
            named = ", ".join(sorted(target for target in targets if target))
            yield self._issue("structure", f"refers to {literal.type}, and must refer to: {named}", place)

    def _invariant(self, rule: JsonObject, value: Value, place: str) -> Iterator[Issue]:
        if value.json is None or "expression" not in rule:
            return
        holds = _condition(rule["expression"], value.type)
        node = Node(value.type, value.json)
        self._scope.context = node
        if holds is not None and holds(self._scope, [node]) is False:
            yield Issue("invariant", rule["human"], place, rule["severity"], rule["key"])

    def _issue(self, code: str, says: str, place: str, *, severity: str = "error", named: bool = False) -> Issue:
        subject = "" if named else f"{place.rpartition('.')[2]} "
        return Issue(code, f"{subject}{says} ({self._key}).", place, severity, self._key)


@lru_cache(maxsize=1024)
def _condition(expression: str, type: str) -> Condition | None:
    """The compiled invariant; None for one that can't be about this type."""
    try:
        return compile_condition(expression, type)
    except FhirPathError:
        return None


def _shown(value: Json) -> str:
    codings: Iterable[JsonObject] = value.get("coding", ()) if is_object(value) else ()
    named = [f"{one.get('system', '')}|{one.get('code', '')}" for one in codings]
    return ", ".join(named) if named else repr(value) if isinstance(value, str) else str(value)
