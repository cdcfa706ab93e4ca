"""Rules of escalation as data: a PlanDefinition of type eca-rule says on what, under which condition, how pressing (domain.md 2.4, 7).

Each action of a plan listens to a kind of data, has one FHIRPath condition and a priority; the most pressing of those that hold counts.
A condition is about the Observation or QuestionnaireResponse that was written, and may ask for what is in FACTS by its name (`%score`).
"""
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from recovery_api.domain.escalations import CODE, PRIORITIES
from recovery_api.fhir import errors
from recovery_api.fhir.errors import Issue, Unprocessable
from recovery_api.fhir.fhirpath import Condition, Env, FhirPathError, Scope, compile_condition
from recovery_api.fhir.fhirpath.members import resource_node
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.paths import has_coding, objects_at

ECA_RULE: Final = ("http://terminology.hl7.org/CodeSystem/plan-definition-type", "eca-rule")
LISTENED: Final = ("Observation", "QuestionnaireResponse")
FACTS: Final = ("score", "previous", "acuity", "age", "gender", "abstinent", "ideation")
"""What a condition may ask for beside the resource: see docs/how-to/add-an-escalation-rule.md."""
CONSTANTS: Final = frozenset({"resource", "rootResource", "context", "ucum", "sct", "loinc"})
Key: TypeAlias = tuple[str, str, str]  # type of resource; system and code, or "" and the questionnaire; "" and "" for all

_form = partial(errors.Rule, "escalation-rule", Unprocessable)
URL = _form("A rule of escalation has a url.")
ACTION_CODE = _form("Each action of a rule of escalation has the code escalation.")
PRIORITY = _form(f"An action has a priority: {', '.join(PRIORITIES)}.")
CONDITION = _form("An action has one condition, in text/fhirpath.")
TRIGGER = _form(f"An action has triggers with data of {' or '.join(LISTENED)}.")
KNOWN = _form(f"%{{}} is not known here; {', '.join(f'%{fact}' for fact in FACTS)} are.")
USABLE = _form("The condition can't be used: {}")

_NAMED = re.compile(r"%`?([A-Za-z][A-Za-z-]*)")


class Action(NamedTuple):
    """What a plan asks for where its condition holds."""

    title: str
    priority: str
    holds: Condition
    facts: frozenset[str]
    keys: frozenset[Key]


class Rule(NamedTuple):
    """A plan that is in force. Its actions stand from the most pressing to the least."""

    url: str
    version: str
    title: str
    actions: tuple[Action, ...]

    @property
    def canonical(self) -> str:
        return f"{self.url}|{self.version}" if self.version else self.url

    def facts(self, keys: Iterable[Key]) -> frozenset[str]:
        """What its conditions ask for, of what has these keys."""
        return frozenset[str]().union(*(action.facts for action in self._listening(keys)))

    def fires(self, resource: JsonObject, keys: Iterable[Key], facts: Mapping[str, Json], now: str) -> Action | None:
        """The most pressing action whose condition holds of a resource that has these keys. Raises FhirPathError."""
        node = resource_node(resource)
        scope = Scope(Env(variables=facts, now=now), node)
        return next((action for action in self._listening(keys) if action.holds(scope, [node])), None)

    def _listening(self, keys: Iterable[Key]) -> Iterator[Action]:
        given = frozenset(keys)
        return (action for action in self.actions if action.keys & given)


class Rulebook(NamedTuple):
    """The rules in force, by what they listen to."""

    by_key: Mapping[Key, tuple[Rule, ...]]

    def about(self, resource: JsonObject) -> tuple[frozenset[Key], list[Rule]]:
        """The keys of a resource, and the rules that listen to one of them."""
        keys = frozenset(keys_of(resource))
        return keys, list({rule.url: rule for key in keys for rule in self.by_key.get(key, ())}.values())


def rulebook(shipped: Iterable[JsonObject], stored: Iterable[JsonObject]) -> Rulebook:
    """The rules of plans. A stored plan takes the place of a shipped one with the same url; of several stored ones the last counts.

    A plan that is not active, is no rule of escalation or (stored by `load`) can't be used is left out.
    """
    plans = {plan["url"]: plan for plan in (*shipped, *stored) if "url" in plan}
    by_key: dict[Key, list[Rule]] = {}
    for plan in plans.values():
        if plan["status"] != "active" or not is_rule(plan):
            continue
        try:
            found = rule_of(plan)
        except Unprocessable:
            continue
        for key in sorted({key for action in found.actions for key in action.keys}):
            by_key.setdefault(key, []).append(found)
    return Rulebook(MappingProxyType({key: tuple(rules) for key, rules in by_key.items()}))


def is_rule(plan: JsonObject) -> bool:
    """Whether a PlanDefinition is a rule of escalation."""
    return has_coding(plan, "type", *ECA_RULE) and any(has_coding(action, "code", *CODE) for action in plan.get("action", ()))


def rule_of(plan: JsonObject) -> Rule:
    """The rule that a PlanDefinition says. Raises Unprocessable, with the places, for what can't be used."""
    problems: list[Issue] = []
    actions: list[Action] = []
    if "url" not in plan:
        problems.append(URL.issue(at="PlanDefinition.url"))
    for index, said in enumerate(plan["action"]):
        place = f"PlanDefinition.action[{index}]"
        try:
            actions.append(_action(said, place))
        except Unprocessable as refused:
            problems += refused.issues
    if problems:
        raise Unprocessable(*problems)
    actions.sort(key=lambda action: -PRIORITIES.index(action.priority))
    return Rule(plan["url"], plan.get("version", ""), plan.get("title") or plan.get("name") or plan["url"], tuple(actions))


def keys_of(resource: JsonObject) -> Iterator[Key]:
    """What rules may listen to in a resource."""
    type = resource["resourceType"]
    yield type, "", ""
    if type == "QuestionnaireResponse":
        yield type, "", str(resource.get("questionnaire", "")).partition("|")[0]
    for said in objects_at(resource, "code.coding"):
        yield type, said.get("system", ""), said.get("code", "")


def _action(said: JsonObject, place: str) -> Action:
    if not has_coding(said, "code", *CODE):
        raise ACTION_CODE.broken(at=f"{place}.code")
    if "priority" not in said:
        raise PRIORITY.broken(at=f"{place}.priority")
    conditions: list[JsonObject] = said.get("condition", [])
    expression: JsonObject = conditions[0].get("expression", {}) if len(conditions) == 1 else {}
    if expression.get("language") != "text/fhirpath" or "expression" not in expression:
        raise CONDITION.broken(at=f"{place}.condition")
    keys = frozenset(_keys(said))
    types = sorted({type for type, _, _ in keys})
    if not keys or not set(types) <= set(LISTENED):
        raise TRIGGER.broken(at=f"{place}.trigger")
    text = str(expression["expression"])
    named = frozenset(_NAMED.findall(text)) - CONSTANTS
    at = f"{place}.condition[0].expression"
    if unknown := named - set(FACTS):
        raise KNOWN.broken(min(unknown), at=at)
    try:
        holds = compile_condition(text, *types)
    except FhirPathError as error:
        raise USABLE.broken(str(error), at=at) from None
    return Action(said.get("title", ""), said["priority"], holds, named, keys)


def _keys(said: JsonObject) -> Iterator[Key]:
    for data in objects_at(said, "trigger.data"):
        filters = data.get("codeFilter", [])
        if not filters:
            yield data["type"], "", ""
        for coding in (coding for one in filters for coding in one.get("code", ())):
            yield data["type"], coding.get("system", ""), coding.get("code", "")
