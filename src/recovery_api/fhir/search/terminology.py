"""What the modifiers :in, :not-in, :above and :below ask of terminology (https://hl7.org/fhir/R4/search.html#token)."""

from collections.abc import Collection
from typing import Protocol

from recovery_api.fhir.definitions import Definitions


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


class CompiledTerminology:
    """The value sets of the compiled definitions; no hierarchies."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    def codes(self, value_set: str) -> Collection[tuple[str, str]] | None:
        return self._definitions.codes(value_set.partition("|")[0])

    def subsumed(self, system: str, code: str) -> Collection[str] | None:
        del system, code
        return None

    def subsuming(self, system: str, code: str) -> Collection[str] | None:
        del system, code
        return None
