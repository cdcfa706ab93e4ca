"""What every operation stands in: its definition, what it was given, how it answers."""
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.parameters import Given, Input, given, inputs, parameters
from recovery_api.interactions.context import FhirRequest, FhirResult, Server


class OperationError(Exception):
    """The operations and their definitions do not fit each other; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that can be asked for."""

    definition: JsonObject
    run: "Run"
    inputs: Mapping[str, Input]
    affects_state: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "affects_state", self.definition.get("affectsState", True))

    @property
    def needs_body(self) -> bool:
        """It changes something, or must be given what no query holds."""
        return self.affects_state or any(one.min and not one.is_simple for one in self.inputs.values())

    def stands_at(self, type: str | None, id: str | None) -> bool:
        """Whether it can be asked for on the system, a type, or an instance."""
        if type is None:
            return self.definition["system"]
        named = self.definition.get("resource", ())
        return (type in named or "Resource" in named) and self.definition["type" if id is None else "instance"]


@dataclass(frozen=True, slots=True)
class Operating:
    """One request for an operation, whose rights are decided."""

    server: Server
    request: FhirRequest
    operation: Operation

    def given(self, *, lenient: bool = False) -> Given:
        """The parameters, from the body and, where no state is affected, the query; `lenient`: unknown ones are left out.

        Raises BadRequest.
        """
        if self.request.query and self.operation.affects_state:
            raise BadRequest(*(Issue("invalid", f"The parameter '{name[:64]}' belongs into the body.") for name, _ in self.request.query))
        return given(self.operation.inputs, self.request.query, self.request.content() if self.request.body else None, lenient=lenient)

    def answer(self, **values: Any) -> FhirResult:
        """The Parameters with these values, in the definition's names."""
        return FhirResult(200, dump(parameters(self.operation.definition, values)))


Run: TypeAlias = Callable[[Operating], Awaitable[FhirResult]]


def registered(runs: Mapping[str, Run], definitions: list[JsonObject]) -> Mapping[str, Operation]:
    """The operations by the ids of their definitions: their codes, save where several share a code.

    Raises OperationError for one without its definition, and a definition without its operation.
    """
    defined = {one["id"]: one for one in definitions}
    for code in sorted(runs.keys() ^ defined.keys()):
        raise OperationError(f"${code} has {'no definition' if code in runs else 'a definition and nothing that runs it'}.")
    try:
        return MappingProxyType({code: Operation(defined[code], run, inputs(defined[code])) for code, run in runs.items()})
    except ValueError as problem:
        raise OperationError(f"A definition can't be used: {problem}.") from None
