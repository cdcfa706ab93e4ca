"""The search parameters of every resource type (https://hl7.org/fhir/R4/searchparameter-registry.html).

They come from `definitions/compiled/search.json` (R4 and US Core 7), from SearchParameter files, and from the few below that
every type has. A `ParameterTable` is made once at start and passed around.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from recovery_api.fhir.dropping import dependence
from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.fhirpath import FhirPathError
from recovery_api.fhir.fhirpath import compile as fhirpath
from recovery_api.fhir.json import JsonObject, parse
from recovery_api.fhir.search.compile_parameter import INDEXED, leaves_from, resolve
from recovery_api.fhir.search.expression import param_number
from recovery_api.fhir.search.paths import Leaf, NotAPath, Step, elements_in

Kind: TypeAlias = Literal["token", "string", "date", "number", "quantity", "reference", "uri", "composite", "words"]
Column: TypeAlias = Literal["", "id", "client", "last_updated"]


class Component(NamedTuple):
    """A part of a composite: its values stand at `leaves` below each root of the composite."""

    code: str
    kind: Kind
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True)
class SearchParameter:
    """One search parameter of one resource type."""

    type: str
    code: str
    kind: Kind
    url: str = ""
    expression: str = ""
    leaves: tuple[Leaf, ...] = ()
    targets: tuple[str, ...] = ()
    """The types that a reference may point at; () means any."""
    roots: tuple[Leaf, ...] = ()
    components: tuple[Component, ...] = ()
    systems: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict[str, "str | Mapping[str, str]"])
    column: Column = ""
    """The resource's own column that holds the value. `client`: of a reference to a Patient; any other reference has rows."""
    rows: tuple[str, ...] = ()
    """The names ("Type.code") whose index rows together are this parameter's: its own, or those of parameters that it unites."""
    reads_client: bool = False
    """A reference that has rows for all it points at, and whose Patient is also the resource's client."""
    names_client: bool = False
    """A reference that is, or holds, the one that names the resource's client."""
    computed: bool = False
    """Its expression is more than paths: FHIRPath evaluates it, resource by resource."""
    internal: bool = False
    """Not for callers: the server lowers other parameters to it."""

    @cached_property
    def name(self) -> str:
        """Its name in expressions: "Type.code"."""
        return f"{self.type}.{self.code}"

    @cached_property
    def number(self) -> int:
        """The number that its index rows carry."""
        return param_number(self.name)

    def aim(self, modifier: str) -> str:
        """The column ("value" or "value2", with its system) that says to which reference an index row belongs; '' for none."""
        if self.kind == "reference":
            return "value2" if modifier else "value"
        if self.components and self.components[0].kind == "reference":
            return "value"
        return "value2" if self.dependent and modifier != "of-type" else ""

    @cached_property
    def dependent(self) -> bool:
        """It reads what a caller is not given where the reference beside it is dropped."""
        return self.kind in {"token", "date"} and any(
            dependence(self.type, tuple(step.member for step in leaf.steps)) for leaf in self.leaves
        )

    @property
    def indexed(self) -> bool:
        """Whether it has index rows under its own name."""
        return self.rows == (self.name,)


class BadParameter(ValueError):
    """A search parameter that can't be served: it does not compile, or its number is another one's. Stops the start."""


_META: tuple[tuple[str, Kind, str, str], ...] = (
    ("_tag", "token", "tag", "Coding"),
    ("_security", "token", "security", "Coding"),
    ("_profile", "uri", "profile", "canonical"),
    ("_source", "uri", "source", "uri"),
)
_MODIFIER_ROWS = ("", ":identifier", ":text", ":of-type")


class ParameterTable:
    """The search parameters of the served types."""

    def __init__(
        self,
        types: Collection[str] | None = None,
        *,
        custom: Iterable[JsonObject] = (),
        clients: Mapping[str, str] | None = None,
    ) -> None:
        """Take the served types (None: all of R4), SearchParameter resources beyond R4's and US Core's, and each type's element
        that names its client where it is not the one that R4's `patient` parameter reads.

        Raises BadParameter.
        """
        self._facts = compiled()["types"]
        self.types: tuple[str, ...] = tuple(sorted(self._facts if types is None else types))
        self._served = frozenset(self.types)
        self._clients = clients
        self._custom = _by_base(custom, self.types)
        self._known: dict[str, Mapping[str, SearchParameter]] = {}
        if self._custom or types is not None:
            self.check()

    def __getitem__(self, type_: str) -> Mapping[str, SearchParameter]:
        """All parameters of a type by their code, internal ones too. Raises KeyError for a type that is not served."""
        found = self._known.get(type_)
        if found is None:
            if type_ not in self._served:
                raise KeyError(type_)
            found = self._known[type_] = self._of(type_)
        return found

    def only(self, types: Collection[str]) -> "ParameterTable":
        """The same table for some of its types."""
        kept = [type_ for type_ in self.types if type_ in types]
        own = [{**definition, "base": [type_]} for type_ in kept for definition in self._custom.get(type_, ())]
        return ParameterTable(kept, custom=own, clients=self._clients)

    def find(self, type_: str, code: str) -> SearchParameter | None:
        """The parameter that a caller may name."""
        found = self[type_].get(code) if type_ in self._served else None
        return None if found is None or found.internal else found

    def named(self, name: str) -> SearchParameter:
        """The parameter that an expression names ("Type.code"). Raises KeyError."""
        type_, _, code = name.partition(".")
        return self[type_][code]

    def check(self) -> None:
        """Raise BadParameter where two names share a number."""
        taken: dict[int, str] = {}
        for type_ in self.types:
            for parameter in self[type_].values():
                for modifier in _MODIFIER_ROWS:
                    name = parameter.name + modifier
                    if (other := taken.setdefault(param_number(name), name)) != name:
                        raise BadParameter(f"the search parameters {name} and {other} have the same number; rename one")

    def _of(self, type_: str) -> Mapping[str, SearchParameter]:
        found = {parameter.code: parameter for parameter in _every_type(type_)}
        for code, facts in self._facts.get(type_, {}).items():
            found[code] = _parameter(type_, code, facts)
        for definition in self._custom.get(type_, ()):
            found[definition["code"]] = _compile(definition, type_)
        if type_ == "Binary":
            security = Leaf((Step("securityContext"),), "Reference")
            found["security-context"] = SearchParameter(type_, "security-context", "reference", leaves=(security,), internal=True)
        placed = {code: self._placed(parameter) for code, parameter in found.items()}
        clients = {parameter.leaves[0].steps for parameter in placed.values() if parameter.column == "client"}
        return _united(
            {
                code: replace(parameter, reads_client=not parameter.column and [leaf.steps for leaf in parameter.leaves] == [*clients])
                for code, parameter in placed.items()
            }
        )

    def _placed(self, parameter: SearchParameter) -> SearchParameter:
        """With the client column where it reads the type's client element, restricted to a Patient."""
        column = parameter.column
        if self._clients is not None and parameter.kind == "reference":
            element = Step(self._clients.get(parameter.type, ""))
            reads = len(parameter.leaves) == 1 and parameter.leaves[0].steps == (element,)
            column = "client" if reads else ""
        if column == "client" and parameter.targets != ("Patient",):
            column = ""
        naming = (self._clients or {}).get(parameter.type, "")
        names = any(".".join(step.member for step in leaf.steps) == naming for leaf in parameter.leaves)
        return replace(parameter, column=column, rows=(parameter.name,), names_client=parameter.kind == "reference" and names)


def _every_type(type_: str) -> Iterable[SearchParameter]:
    base = "http://hl7.org/fhir/SearchParameter/Resource-"
    yield SearchParameter(type_, "_id", "token", base + "id", "Resource.id", column="id")
    yield SearchParameter(type_, "_lastUpdated", "date", base + "lastUpdated", "Resource.meta.lastUpdated", column="last_updated")
    for code, kind, member, leaf in _META:
        steps = (Step("meta"), Step(member))
        yield SearchParameter(type_, code, kind, base + code[1:], f"Resource.meta.{member}", (Leaf(steps, leaf),))
    yield SearchParameter(type_, "_content", "words", base + "content")
    yield SearchParameter(type_, "_text", "words", "http://hl7.org/fhir/SearchParameter/DomainResource-text")


def _parameter(type_: str, code: str, facts: JsonObject) -> SearchParameter:
    return SearchParameter(
        type_,
        code,
        facts["kind"],
        facts["url"],
        facts["expression"],
        leaves_from(facts.get("leaves", [])),
        tuple(facts.get("targets", ())),
        leaves_from(facts.get("roots", [])),
        tuple(Component(name, kind, leaves_from(below)) for name, kind, below in facts.get("components", [])),
        facts.get("systems", {}),
        "client" if facts.get("client") else "",
    )


def _compile(definition: JsonObject, type_: str) -> SearchParameter:
    """A SearchParameter resource, for one of its base types."""
    by_url = {
        facts["url"]: {"type": facts["kind"], "code": code} for found in compiled()["types"].values() for code, facts in found.items()
    }
    try:
        facts = resolve(definition, type_, by_url, elements_in(_compiled("types")), _compiled("types"), _compiled("codes")).as_json()
    except NotAPath:
        return _computed(definition, type_)
    except (KeyError, ValueError) as reason:
        raise BadParameter(f"the search parameter {type_}.{definition.get('code')} does not compile: {reason}") from reason
    return _parameter(type_, definition["code"], facts)


def _computed(definition: JsonObject, type_: str) -> SearchParameter:
    """One whose expression is more than paths."""
    kind, code, expression = definition["type"], definition["code"], definition["expression"]
    try:
        types = fhirpath(expression, type_).types
    except FhirPathError as reason:
        raise BadParameter(f"the search parameter {type_}.{code} does not compile: {reason}") from reason
    if kind not in INDEXED or (types is not None and not types & INDEXED[kind]):
        raise BadParameter(f"the search parameter {type_}.{code} reads nothing that a {kind} parameter indexes")
    return SearchParameter(type_, code, kind, definition["url"], expression, targets=tuple(definition.get("target", ())), computed=True)


def _united(found: Mapping[str, SearchParameter]) -> Mapping[str, SearchParameter]:
    """Parameters that read just what others of their kind read together have no rows of their own."""
    result: dict[str, SearchParameter] = {}
    sources: dict[object, str] = {}
    for parameter in sorted(found.values(), key=lambda one: (len(one.leaves) + len(one.roots), one.code)):
        pieces = _pieces(parameter)
        if pieces and all(piece in sources for piece in pieces):
            result[parameter.code] = replace(parameter, rows=tuple(dict.fromkeys(sources[piece] for piece in pieces)))
            continue
        result[parameter.code] = parameter
        if len(pieces) == 1:
            sources[pieces[0]] = parameter.name
    return result


def _pieces(parameter: SearchParameter) -> tuple[object, ...]:
    """What it reads, piece by piece, so that two that read the same have equal pieces; () where it is never united."""
    if parameter.column or parameter.internal:
        return ()
    parts = tuple((part.kind, part.leaves) for part in parameter.components)
    return tuple((parameter.kind, leaf, parts) for leaf in parameter.roots or parameter.leaves)


def _by_base(definitions: Iterable[JsonObject], types: Collection[str]) -> Mapping[str, list[JsonObject]]:
    found: dict[str, list[JsonObject]] = {}
    for definition in definitions:
        for base in definition.get("base", ()):
            if base not in types:
                raise BadParameter(f"the search parameter {definition.get('code')} is for {base}, which is not served")
            found.setdefault(base, []).append(definition)
    return found


@lru_cache(maxsize=1)
def compiled() -> JsonObject:
    """`definitions/compiled/search.json`: types → codes → facts, compartments → types → codes."""
    return _compiled("search")


def shipped() -> list[JsonObject]:
    """The product's own SearchParameter resources, `definitions/SearchParameter-*.json`."""
    folder = files("recovery_api").joinpath("definitions")
    names = sorted(file.name for file in folder.iterdir() if file.name.startswith("SearchParameter-"))
    return [msgspec.json.decode(folder.joinpath(name).read_bytes()) for name in names]


def custom(folder: Path) -> list[JsonObject]:
    """An operator's own SearchParameter resources: the `.json` files of a folder, which need not be there.

    Raises BadParameter for a file that holds something else.
    """
    return [_definition(path) for path in sorted(folder.glob("*.json"))]


def _definition(path: Path) -> JsonObject:
    try:
        found = parse(path.read_bytes())
    except BadRequest as error:
        raise BadParameter(f"{path.name} is not a SearchParameter: {error}") from error
    if found.get("resourceType") != "SearchParameter" or not isinstance(found.get("code"), str):
        raise BadParameter(f"{path.name} is not a SearchParameter with a code")
    return found


def _compiled(name: str) -> JsonObject:
    return msgspec.json.decode(files("recovery_api").joinpath(f"definitions/compiled/{name}.json").read_bytes())
