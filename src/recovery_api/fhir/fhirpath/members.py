"""Steps from an element to its members: `Observation.value`, `name.given`, `birthDate.extension`.

Each step is a closure over the JSON names that the definitions give, so that walking costs a dictionary look-up.
"""
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias, cast

from recovery_api.fhir.fhirpath.model import Field, all_fields, fields, is_primitive
from recovery_api.fhir.fhirpath.nodes import Extended, Located, Node, Nodes
from recovery_api.fhir.json import Json, JsonObject

Collect: TypeAlias = Callable[[Iterable[JsonObject]], Nodes]


# new(Node, (type, value)) makes a Node in half the time that Node(type, value) takes, and walking is mostly that.
new = cast(Callable[[type[Node], tuple[str, Json]], Node], tuple.__new__)  # pyright: ignore[reportUnknownMemberType]


def walk(names: tuple[str, ...], last: tuple[Field, ...]) -> Callable[[JsonObject], Nodes]:
    """The nodes at the end of a path whose middle steps, `names`, are elements of one type that is not primitive."""
    collect = collector(last)

    def one(value: JsonObject) -> Nodes:
        return collect((value,))

    def only(value: JsonObject) -> Nodes:
        found: Json = value.get(name)
        if found is None or type(found) is list or shadow in value:
            return collect((value,))
        return [new(Node, (type_, found))]

    def two(value: JsonObject) -> Nodes:
        found: Json = value.get(first)
        return [] if found is None else collect(cast(list[JsonObject], found) if type(found) is list else (found,))

    def many(value: JsonObject) -> Nodes:
        values: list[JsonObject] = [value]
        for name in names:
            inner: list[JsonObject] = []
            for each in values:
                found: Json = each.get(name)
                if type(found) is list:
                    inner += cast(list[JsonObject], found)
                elif found is not None:
                    inner.append(found)
            if not inner:
                return []
            values = inner
        return collect(values)

    first = names[0] if names else ""
    name, type_, _, resource = last[0]
    shadow = f"_{name}"
    if not names:
        return one if len(last) > 1 or resource else only
    return two if len(names) == 1 else many


@lru_cache(maxsize=4096)
def collector(choice: tuple[Field, ...]) -> Collect:
    """What reads one element, in whichever of its types it stands, from each of some JSON objects."""
    if len(choice) != 1:
        return _choice_collector(choice)
    name, type_, primitive, resource = choice[0]
    shadow = f"_{name}"

    def complex_values(values: Iterable[JsonObject]) -> Nodes:
        nodes: Nodes = []
        for value in values:
            found: Json = value.get(name)
            if found is None:
                continue
            if type(found) is list:
                nodes += [new(Node, (type_, each)) for each in cast(list[Json], found)]
            else:
                nodes.append(new(Node, (type_, found)))
        return nodes

    def primitive_values(values: Iterable[JsonObject]) -> Nodes:
        nodes: Nodes = []
        for value in values:
            found: Json = value.get(name)
            if shadow in value:
                nodes += extended(type_, found, value[shadow])
            elif found is None:
                continue
            elif type(found) is list:
                nodes += [new(Node, (type_, each)) for each in cast(list[Json], found)]
            else:
                nodes.append(new(Node, (type_, found)))
        return nodes

    def resources(values: Iterable[JsonObject]) -> Nodes:
        return [resource_node(node.value) for node in complex_values(values)]

    return resources if resource else primitive_values if primitive else complex_values


def _choice_collector(choice: tuple[Field, ...]) -> Collect:
    by_key = {field.name: field for field in choice} | {f"_{field.name}": field for field in choice if field.primitive}

    def collect(values: Iterable[JsonObject]) -> Nodes:
        nodes: Nodes = []
        for value in values:
            for key in value:
                if key in by_key:
                    field = by_key[key]
                    if key == field.name or field.name not in value:
                        nodes += collector((field,))((value,))
        return nodes

    return collect


def resource_node(resource: JsonObject) -> Node:
    """The node of a resource, of the type that it says it is."""
    return Node(str(resource.get("resourceType", "Resource")), resource)


def extended(type_: str, value: Json, extras: Json) -> Nodes:
    """The nodes of a primitive element that has extras (`_name`): single, or two lists side by side."""
    values = cast(list[Json], value if isinstance(value, list) else [value])
    besides = cast(list[Json], extras if isinstance(extras, list) else [extras])
    length = max(len(values), len(besides))
    nodes: Nodes = []
    for index in range(length):
        each = values[index] if index < len(values) else None
        beside = besides[index] if index < len(besides) else None
        if each is not None or beside is not None:
            node = Extended(type_, each)
            node.extras = beside
            nodes.append(node)
    return nodes


def extras_of(node: Node) -> JsonObject | None:
    """The id and extensions of a primitive, as the JSON of its `_name`."""
    return node.extras if isinstance(node, Extended) else None


def _content(node: Node) -> JsonObject | None:
    """The JSON object that holds a node's members."""
    if is_primitive(node.type):
        return extras_of(node)
    value: Json = node.value
    return cast(JsonObject, value) if type(value) is dict else None


def members(nodes: Nodes, name: str) -> Nodes:
    """The members called `name` of nodes of any type."""
    found: Nodes = []
    for node in nodes:
        choice = fields(node.type, name)
        if choice and (content := _content(node)) is not None:
            found += collector(choice)((content,))
    return found


def children(nodes: Nodes) -> Nodes:
    """All members of some nodes, in the order in which they stand."""
    found: Nodes = []
    for node in nodes:
        content = _content(node)
        if not content:
            continue
        known = all_fields(node.type)
        for key in content:
            bare = key.removeprefix("_")
            if bare in known and (bare == key or bare not in content):
                found += collector((known[bare],))((content,))
    return found


def descendants(nodes: Nodes) -> Nodes:
    """All members, their members, and so on."""
    found: Nodes = []
    level = children(nodes)
    while level:
        found += level
        level = children(level)
    return found


def located_members(nodes: Nodes, name: str) -> Nodes:
    """As `members`, and each node knows its place."""
    found: Nodes = []
    for node in nodes:
        content = _content(node)
        if content is None:
            continue
        for field in fields(node.type, name):
            found += _located(content, node.type, field)
    return found


def _located(owner: JsonObject, within: str, field: Field) -> Nodes:
    value, extras = owner.get(field.name), owner.get(f"_{field.name}") if field.primitive else None
    found: Nodes = []
    if isinstance(value, list) or isinstance(extras, list):
        values, besides = cast(list[Json], value or []), cast(list[Json], extras or [])
        places = [(index, values[index] if index < len(values) else None, besides[index] if index < len(besides) else None)
                  for index in range(max(len(values), len(besides)))]
    else:
        places = [(None, value, extras)]
    for index, each, beside in places:
        if each is not None or beside is not None:
            node = Located(resource_node(each).type if field.resource and each else field.type, each)
            node.extras, node.owner, node.within, node.name, node.position = beside, owner, within, field.name, index
            found.append(node)
    return found
