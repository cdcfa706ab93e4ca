"""What FHIRPath expressions walk over: nodes, which know their FHIR type, and the scope that they are evaluated in."""
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from recovery_api.fhir.json import Json, JsonObject


class Node(NamedTuple):
    """A value and its FHIR type: `("Quantity", {…})`, `("dateTime", "2024-05")`, `("Observation.component", {…})`."""

    type: str
    value: Json


class Extended(Node):
    """A primitive that has an id or extensions (the JSON of `_name`); `value` is None where it has nothing else."""

    extras: JsonObject | None


class Located(Extended):
    """A node that knows its place: it is `owner[name]`, or `owner[name][position]` in a list; `owner` is of type `within`."""

    owner: JsonObject
    within: str
    name: str
    position: int | None


Nodes: TypeAlias = list[Node]

EMPTY: Nodes = []
TRUE: Nodes = [Node("boolean", True)]
FALSE: Nodes = [Node("boolean", False)]


@dataclass(frozen=True, slots=True)
class Env:
    """What an expression may ask of the world around the resource; without an answer the usual rule below holds.

    resolve: the resource at a literal reference, or None. Usual: contained resources, else a stand-in of the type the reference names.
    member_of: whether a coded node is in the value set with this canonical URL. Usual: nothing is known, so empty.
    conforms_to: whether a node conforms to the profile with this canonical URL. Usual: its own type's base profile only, else empty.
    html_checks: whether a narrative's XHTML is allowed. Usual: true, narratives are checked elsewhere.
    variables: `%name` → a JSON value, or a list of Nodes.
    root: the resource that contains the one evaluated (`%rootResource`), where it is a contained one.
    now: the present instant in ISO 8601, for `now()`, `today()` and `timeOfDay()`; without it they raise FhirPathError.
    key: what stands for "Type/id" in `getResourceKey()` and `getReferenceKey()` of SQL on FHIR. Usual: itself.
    """

    resolve: Callable[[str], JsonObject | None] | None = None
    member_of: Callable[[Node, str], bool] | None = None
    conforms_to: Callable[[Node, str], bool] | None = None
    html_checks: Callable[[str], bool] | None = None
    variables: Mapping[str, Json] = field(default_factory=dict[str, Json])
    root: JsonObject | None = None
    now: str | None = None
    key: Callable[[str], str] = str


class Scope:
    """The variables of one evaluation: `%resource`, `%rootResource`, `%context`, `$index`, `$total` and the Env."""

    __slots__ = ("context", "env", "index", "resource", "root", "total")

    def __init__(self, env: Env, resource: Node, root: Node | None = None) -> None:
        self.env = env
        self.resource = resource
        self.root = root or resource
        self.context = resource
        self.index = 0
        self.total: Nodes = EMPTY


Run: TypeAlias = Callable[[Scope, Nodes], Nodes]


def boolean(value: bool | None) -> Nodes:
    """The collection of one boolean; none for None."""
    return EMPTY if value is None else TRUE if value else FALSE
