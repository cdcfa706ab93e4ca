"""What one interaction works with: the request, the access row that lets it run, and a reader or a writer."""
from dataclasses import dataclass, field

from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.context import FhirRequest, Server
from recovery_api.policy.matrix import Access
from recovery_api.store.labelling import Labelled
from recovery_api.store.reader import Reader
from recovery_api.store.writer import Writer


@dataclass(frozen=True, slots=True)
class Reading:
    """A read or search: `reader` sees what role, relations and scopes open."""

    server: Server
    request: FhirRequest
    reader: Reader


@dataclass(slots=True)
class Transaction:
    """What the writes of one transaction know of each other."""

    planned: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """What its entries will make, by type and id: they may point at each other whatever their order."""
    created: dict[tuple[str, str], JsonObject] = field(default_factory=dict[tuple[str, str], JsonObject])
    """The resources made in it, by type and id."""
    waiting: list[Labelled] | None = None
    """New resources that wait to be labelled and stored together; None: each is stored at once."""
    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    """What was stored of those that waited, by type and id."""
    readable: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """What it refers to and the caller was found to read, by type and id."""


@dataclass(frozen=True, slots=True)
class Writing:
    """A write: `writer` sees what role and relations open, whatever the scopes; `access` is decided."""

    server: Server
    request: FhirRequest
    access: Access
    writer: Writer
    transaction: Transaction
