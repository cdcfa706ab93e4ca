"""What the modifiers :in, :not-in, :above and :below ask of terminology (https://hl7.org/fhir/R4/search.html#token)."""

from collections.abc import Collection
from typing import Protocol


class Terminology(Protocol):
    """A source of value sets and code hierarchies; None says that it knows nothing of what is asked."""

    def codes(self, value_set: str) -> Collection[tuple[str, str]] | None:
        """The (system, code) pairs of a value set, by its canonical URL."""
        ...

    def subsumed(self, system: str, code: str) -> Collection[str] | None:
        """The codes of the system that the code subsumes, itself among them."""
        ...

    def subsuming(self, system: str, code: str) -> Collection[str] | None:
        """The codes of the system that subsume the code, itself among them."""
        ...
