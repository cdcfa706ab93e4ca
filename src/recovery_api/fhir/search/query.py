"""A parsed search: what the store is asked, and how the answer is to look."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from recovery_api.fhir.search.expression import EVERYTHING, Expression
from recovery_api.fhir.search.parameters import ParameterTable, SearchParameter
from recovery_api.fhir.search.terminology import Terminology
from recovery_api.fhir.search.values import Frame

Pair: TypeAlias = tuple[str, str]
Total: TypeAlias = Literal["none", "estimate", "accurate"]
Summary: TypeAlias = Literal["true", "text", "data", "count", "false"]

DEFAULT_COUNT, MOST_COUNT = 20, 1000


@dataclass(frozen=True, slots=True)
class SearchContext:
    """What queries are read against; made once at start."""

    table: ParameterTable
    terminology: Terminology
    base_url: str
    """The server's FHIR base, without a slash at its end: references below it are local."""
    zone: ZoneInfo
    """What a date without time means."""
    clock: Callable[[], int]
    """Microseconds since the epoch, UTC."""

    frame: Frame = field(init=False)
    """The last three, for reading values."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", Frame(self.base_url, self.zone, self.clock))


class SortKey(NamedTuple):
    """A parameter to sort by. Ascending goes by a resource's smallest value, descending by its largest; those without come last."""

    parameter: SearchParameter
    descending: bool = False


class Include(NamedTuple):
    """`_include`: from matches along the reference parameter `param` ("Type.code") to the target types (() means any);
    `reverse` (`_revinclude`): from resources of the parameter's type that point at matches."""

    param: str
    targets: tuple[str, ...] = ()
    iterate: bool = False
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A search over one type, or over several (system search)."""

    types: tuple[str, ...]
    where: Expression = EVERYTHING
    includes: tuple[Include, ...] = ()
    sort: tuple[SortKey, ...] = ()
    count: int = DEFAULT_COUNT
    total: Total | None = None
    """As asked; None: not asked."""
    summary: Summary = "false"
    """`_count=0` is `count`."""
    elements: tuple[str, ...] = ()
    """Top-level elements to answer with; () means all."""
    ignored: tuple[Pair, ...] = ()
    """Parameters that lenient handling left out."""
    applied: tuple[Pair, ...] = ()
    """What was applied, as the `self` link says it."""
