"""The parameters that shape an answer: `_sort`, `_count`, `_include` … (https://hl7.org/fhir/R4/search.html#return)."""

import re
from typing import NoReturn, cast, get_args

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.search.expression import Expression
from recovery_api.fhir.search.lower import UnknownParameter
from recovery_api.fhir.search.parameters import SearchParameter
from recovery_api.fhir.search.query import DEFAULT_COUNT, MOST_COUNT, Include, Pair, Query, SearchContext, SortKey, Summary, Total

RESULT_PARAMETERS = frozenset({"_sort", "_count", "_total", "_summary", "_elements", "_include", "_revinclude"})
SORTED = frozenset({"token", "string", "date", "number", "reference", "uri"})
"""The kinds that can be sorted by; quantities stand in the index in several units, and can't."""
MOST_INCLUDES, MOST_SORT_KEYS = 50, 5
_COUNT = re.compile(r"\d{1,9}", re.ASCII)


class Results:
    """Collects the result parameters of one query over the types."""

    def __init__(self, types: tuple[str, ...], context: SearchContext) -> None:
        self._types, self._table = types, context.table
        self._taken: set[str] = set()
        self._includes: list[Include] = []
        self._sort: tuple[SortKey, ...] = ()
        self._count = DEFAULT_COUNT
        self._total: Total | None = None
        self._summary: Summary = "false"
        self._elements: tuple[str, ...] = ()

    def take(self, name: str, value: str) -> str:
        """Read one parameter; what the `self` link says of its value. Raises BadRequest."""
        code, _, modifier = name.partition(":")
        if code in ("_include", "_revinclude"):
            self._include(code, modifier, value)
            return value
        if modifier:
            _refuse(name, f"the modifier ':{modifier}' is not one that it takes.", "not-supported")
        if code in self._taken:
            _refuse(name, "it stands twice.")
        self._taken.add(code)
        match code:
            case "_count":
                if not _COUNT.fullmatch(value):
                    _refuse(name, f"'{value[:50]}' is not a number of matches.")
                self._count = min(int(value), MOST_COUNT)
                return str(self._count)
            case "_total":
                self._total = cast(Total, _one_of(name, value, get_args(Total)))
            case "_summary":
                self._summary = cast(Summary, _one_of(name, value, get_args(Summary)))
            case "_elements":
                self._elements = tuple(dict.fromkeys(self._element(name, one) for one in value.split(",")))
            case _:
                keys = [self._sort_key(name, one) for one in value.split(",")]
                if len(keys) > MOST_SORT_KEYS:
                    _refuse(name, f"at most {MOST_SORT_KEYS} parameters can be sorted by.", "too-costly")
                self._sort = tuple(keys)
        return value

    def query(self, where: Expression, ignored: tuple[Pair, ...], applied: tuple[Pair, ...]) -> Query:
        """The whole query."""
        summary: Summary = "count" if self._count == 0 else self._summary
        if self._elements and summary != "false" and "_summary" in self._taken:
            _refuse("_elements", "it can't be combined with '_summary'.")
        includes = tuple(dict.fromkeys(self._includes))
        if len(includes) > MOST_INCLUDES and len(self._includes) > MOST_INCLUDES and not self._wildcard:
            _refuse("_include", f"at most {MOST_INCLUDES} of them can be given.", "too-costly")
        return Query(self._types, where, includes, self._sort, self._count, self._total, summary, self._elements, ignored, applied)

    _wildcard = False

    def _element(self, name: str, element: str) -> str:
        facts = [definitions().type(type_) for type_ in self._types]
        if any(element in one.elements or element in one.choices for one in facts):
            return element
        return _refuse(name, f"'{element[:100]}' is not an element of {self._types[0] if len(self._types) == 1 else 'these types'}.")

    def _sort_key(self, name: str, written: str) -> SortKey:
        code = written.removeprefix("-")
        found = [self._table.find(type_, code) for type_ in self._types]
        first = found[0]
        if first is None or None in found:
            _refuse(name, f"'{code[:100]}' is not a search parameter of {self._types[0] if len(self._types) == 1 else 'every type'}.")
        if first.kind not in SORTED or len(first.rows) > 1 or (len(found) > 1 and first.column not in ("id", "last_updated")):
            _refuse(name, f"matches can't be sorted by '{code}'.", "not-supported")
        return SortKey(first, written.startswith("-"))

    def _include(self, code: str, modifier: str, value: str) -> None:
        name = f"{code}:{modifier}" if modifier else code
        if modifier not in ("", "iterate"):
            _refuse(name, f"the modifier ':{modifier}' is not one that it takes (:iterate).", "not-supported")
        reverse, iterate = code == "_revinclude", modifier == "iterate"
        parts = value.split(":")
        if parts == ["*"]:
            self._wildcard = True
            sources = self._table.types if reverse or iterate else self._types
            for source in sources:
                self._every(source, iterate=iterate, reverse=reverse)
            return
        if len(parts) not in (2, 3) or not all(parts):
            _refuse(name, f"'{value[:200]}' is not Type:parameter or Type:parameter:TargetType.")
        source, parameter_code, *target = parts
        if source not in self._table.types:
            _refuse(name, f"'{source[:100]}' is not a type served here.")
        if parameter_code == "*":
            self._wildcard = True
            self._every(source, iterate=iterate, reverse=reverse)
            return
        parameter = self._table.find(source, parameter_code)
        if parameter is None:
            raise UnknownParameter(
                Issue("not-supported", f"The search parameter '{name}' names '{parameter_code[:100]}', which {source} does not have.")
            )
        if parameter.kind != "reference":
            _refuse(name, f"'{parameter_code}' of {source} is not a reference.")
        if target and parameter.targets and target[0] not in parameter.targets:
            _refuse(name, f"'{parameter_code}' of {source} does not point at '{target[0][:100]}'.")
        if reverse and not iterate and parameter.targets and not set(self._types) & set(parameter.targets):
            _refuse(name, f"'{parameter_code}' of {source} does not point at {', '.join(self._types[:5])}.")
        self._add(parameter, tuple(target), iterate=iterate, reverse=reverse)

    def _every(self, source: str, *, iterate: bool, reverse: bool) -> None:
        """All references of the type; in reverse, those that may point at what is searched."""
        for parameter in self._table[source].values():
            if parameter.kind == "reference" and not parameter.internal:
                aims = not parameter.targets or bool(set(self._types) & set(parameter.targets))
                if aims or iterate or not reverse:
                    self._add(parameter, (), iterate=iterate, reverse=reverse)

    def _add(self, parameter: SearchParameter, target: tuple[str, ...], *, iterate: bool, reverse: bool) -> None:
        self._includes += [Include(row, target, iterate, reverse) for row in parameter.rows]


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        _refuse(name, f"'{value[:50]}' is not one of {', '.join(allowed)}.")
    return value


def _refuse(name: str, sentence: str, code: str = "invalid") -> NoReturn:
    raise BadRequest(Issue(code, f"The search parameter '{name[:200]}': {sentence}"))
