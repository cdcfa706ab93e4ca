"""What goes into the store and what comes out of it."""

from typing import Final, NamedTuple, Protocol

from recovery_api.fhir.labels import APART, PART2, SENSITIVITY, closed

ALWAYS: Final = 0
NEVER: Final = 1 << 62
"""The `starts` and `ends` of a relation without a limit (stamps: microseconds since the epoch)."""


class Record(NamedTuple):
    """One version of a resource. `body` is None for a deletion; `last_updated` is a stamp (microseconds, UTC)."""

    type: str
    id: str
    version: int
    last_updated: int
    method: str
    client: str
    kind: str
    released: bool
    creator: str
    labels: int
    """Bits of the security labels in force (`fhir/labels.py`)."""
    raised: int
    """Bits of the labels that were sent or raised by hand, whatever the content says."""
    body: bytes | None
    basis: str | None = None
    """The Consents (logical ids, spaces between) that open it to the caller; None where it is not consent that does."""
    hidden: str | None = None
    """What it points at and the caller may not follow, "Type/id" with spaces between; None: nothing that could ever be hidden."""

    @property
    def reference(self) -> str:
        """The relative literal reference, "Type/id"."""
        return f"{self.type}/{self.id}"


STORED: Final = tuple(name for name in Record._fields if name not in {"basis", "hidden"})
"""The fields of a Record that stand in columns."""


class Relation(NamedTuple):
    """`holder` ("Type/id") stands to `client` (a Patient's id, or "Type/id" between staff) in a relation of the kind."""

    kind: str
    holder: str
    client: str
    organization: str = ""
    qualifier: str = ""
    starts: int = ALWAYS
    ends: int = NEVER


class ConsentRule(NamedTuple):
    """One provision of an active Consent, with the conditions of the provisions around it; an empty condition is none.

    `actors`, `purposes` and `classes` are lists of which one must fit; `actors_within` are those of a provision around it, which must
    fit too. A coding with `system` and `code` must be in the resource. All bits of `labels` must be among its labels, and none of its
    sensitivities outside `labels_within`. `data` is the dataPeriod; it and `starts`, `ends` are microseconds, their ends exclusive.
    """

    consent: str
    path: str
    parent: str
    client: str
    effect: str
    actors: tuple[str, ...] = ()
    actors_within: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    system: str = ""
    code: str = ""
    labels: int = 0
    labels_within: int = -1
    data: tuple[int, int] | None = None
    starts: int = ALWAYS
    ends: int = NEVER
class Basis(NamedTuple):
    """What the labels of a version are made of, so far as its content says it. `own` are bits of labels."""

    own: int = 0
    lawful: bool = False
    """The law that holds for its client holds for it."""
    collective: bool = False
    """It takes the sensitivities of its client's episodes: free text that nobody can classify."""

    def labels(self, raised: int, context: int, carried: int) -> int:
        """The labels in force, of what was raised, what is true of its client, and what came from what it refers to."""
        found = self.own | raised | carried
        if self.lawful:
            found |= context & PART2
        if self.collective:
            found |= context & SENSITIVITY & ~APART
        return closed(found)


class Facets(NamedTuple):
    """What access rules see of a version. `parties` are (role, "Type/id") pairs; `relations` is None where the type says none.

    `happened` is the clinical date, from and until (microseconds, the end exclusive), None for a type that has none; `links` are
    the references ("Type/id") that a caller who sees this may not be able to follow.
    """

    client: str = ""
    kind: str = ""
    released: bool = False
    parties: tuple[tuple[str, str], ...] = ()
    relations: tuple[Relation, ...] | None = None
    labels: int = 0
    raised: int = 0
    happened: tuple[int, int] | None = None
    links: tuple[str, ...] = ()
    consent_rules: tuple[ConsentRule, ...] | None = None
    """What a Consent says; None for any other type."""
    basis: Basis = Basis()

    @property
    def columns(self) -> dict[str, str | int | bool | None]:
        """What stands in columns of their own beside a version."""
        happened_from, happened_until = self.happened or (None, None)
        return {
            "client": self.client,
            "kind": self.kind,
            "released": self.released,
            "labels": self.labels,
            "raised": self.raised,
            "happened_from": happened_from,
            "happened_until": happened_until,
            "links": " ".join(self.links),
        }


FRAMING: Final = frozenset({"Condition", "EpisodeOfCare", "Organization", "Procedure"})
"""Types whose change may change a client's context: who writes them holds it alone."""


class Context(NamedTuple):
    """What is true of a client as a whole: bits of labels, held against change, or alone, until the transaction ends."""

    labels: int
    alone: bool


class Parameter(Protocol):
    """What the store must know of a search parameter."""

    @property
    def kind(self) -> str:
        """token, string, date, number, quantity, reference, uri, composite or words."""
        ...

    @property
    def column(self) -> str:
        """The resource's own column (`id`, `client`, `last_updated`) that holds the value; '' where index rows do."""
        ...

    @property
    def targets(self) -> tuple[str, ...]:
        """The types that a reference may point at; () means any."""
        ...

    @property
    def rows(self) -> tuple[str, ...]:
        """The names ("Type.code") whose index rows together are the parameter's."""
        ...

    @property
    def names_client(self) -> bool:
        """A reference that is, or holds, the one that names the resource's client."""
        ...

    def aim(self, modifier: str, /) -> str:
        """The column ("value" or "value2", with its system) that says to which reference an index row belongs; '' for none."""
        ...


class Parameters(Protocol):
    """The search parameters."""

    def named(self, name: str, /) -> Parameter:
        """The parameter "Type.code". Raises KeyError."""
        ...
