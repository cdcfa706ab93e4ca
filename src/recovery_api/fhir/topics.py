"""The topics that can be subscribed to, as data: `definitions/SubscriptionTopic-*.json`, in the words of R5
(https://hl7.org/fhir/R5/subscriptiontopic.html), compiled when they are first asked for.

What triggers a topic is one FHIRPath condition about the new version, with `%current` and `%previous`. Extensions of ours say for which
roles a topic is, which rules must hold besides, and what a filter searches for where that has another name.
"""
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final, NamedTuple

from recovery_api.fhir.fhirpath import Condition, Env, FhirPathError, Scope, compile_condition
from recovery_api.fhir.fhirpath.members import resource_node
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import objects_at
from recovery_api.fhir.shipped import shipped

_OURS: Final = "https://recovery-api.example.org/fhir/StructureDefinition/topic-"


class TopicError(Exception):
    """A topic that can't be used; the message names it."""


class Trigger(NamedTuple):
    """What makes an event of a new version of a resource."""

    interactions: frozenset[str]
    """create, update, or both."""
    holds: Condition
    rules: str
    """"escalation" where a rule of escalation must hold of the resource too, as the subscriber sees it."""


class Topic(NamedTuple):
    """A topic. `filters` are, by type of resource and name of the filter, the search parameters that they stand for."""

    url: str
    title: str
    description: str
    audience: frozenset[str]
    triggers: Mapping[str, Trigger]
    filters: Mapping[str, Mapping[str, str]]

    def fires(self, before: JsonObject | None, after: JsonObject) -> bool:
        """Whether a version makes an event. `before` is the one that it took the place of; None: it is the first."""
        trigger = self.triggers.get(after["resourceType"])
        if trigger is None or ("create" if before is None else "update") not in trigger.interactions:
            return False
        node = resource_node(after)
        try:
            return trigger.holds(Scope(Env(variables={"current": after, "previous": before}), node), [node]) is True
        except FhirPathError:
            return False


@cache
def topics() -> Mapping[str, Topic]:
    """The topics by their canonical URLs. Raises TopicError for one that can't be used."""
    return MappingProxyType({one["url"]: _topic(one) for one in shipped("SubscriptionTopic")})


def _topic(said: JsonObject) -> Topic:
    return Topic(
        said["url"],
        said["title"],
        said["description"],
        frozenset(each["valueCode"] for each in _extensions(said, "audience")),
        MappingProxyType({each["resource"]: _trigger(each, said["id"]) for each in objects_at(said, "resourceTrigger")}),
        _filters(objects_at(said, "canFilterBy")),
    )


def _trigger(said: JsonObject, topic: str) -> Trigger:
    try:
        holds = compile_condition(said["fhirPathCriteria"], said["resource"])
    except (FhirPathError, KeyError) as error:
        raise TopicError(f"The topic {topic} can't be used: {error}") from None
    rules = next((each["valueCode"] for each in _extensions(said, "rules")), "")
    return Trigger(frozenset(said["supportedInteraction"]), holds, rules)


def _filters(said: Sequence[JsonObject]) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for each in said:
        search = next((one["valueString"] for one in _extensions(each, "search")), each["filterParameter"])
        found.setdefault(each["resource"], {})[each["filterParameter"]] = search
    return MappingProxyType(found)


def _extensions(said: JsonObject, name: str) -> list[JsonObject]:
    return [each for each in objects_at(said, "extension") if each["url"] == f"{_OURS}{name}"]
