"""A query's parameter, with its modifier, chain or `_has`, lowered to an expression (https://hl7.org/fhir/R4/search.html)."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NoReturn

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.search import values
from recovery_api.fhir.search.escapes import split, unescaped
from recovery_api.fhir.search.expression import (
    EVERYTHING,
    Chain,
    Expression,
    Has,
    Not,
    Or,
    Own,
    Row,
    RowColumn,
    Test,
    both,
    either,
)
from recovery_api.fhir.search.parameters import SearchParameter
from recovery_api.fhir.search.query import SearchContext
from recovery_api.fhir.search.references import read_reference
from recovery_api.fhir.search.text import words
from recovery_api.fhir.search.values import Alternatives

MOST_VALUES = 500
"""Alternatives in one parameter, commas between them."""
LONGEST_VALUE = 4000
MOST_LINKS = 4
"""Links of a chain or nested `_has`."""
LEVELS = 5
"""Levels of a hierarchy of resources that :above and :below look through, the first one included."""
MOST_CODES = 5000
"""Codes of a value set that :in takes."""

MODIFIERS = {
    "token": ("missing", "text", "not", "above", "below", "in", "not-in", "of-type"),
    "string": ("missing", "exact", "contains"),
    "uri": ("missing", "above", "below"),
    "reference": ("missing", "identifier", "above", "below"),
    "date": ("missing",),
    "number": ("missing",),
    "quantity": ("missing",),
    "composite": (),
    "words": (),
}
"""Modifiers by the kind of parameter; a reference takes a type's name too."""
_HIERARCHIES = {"Location": "partof", "Organization": "partof", "Task": "part-of", "Encounter": "part-of", "Procedure": "part-of"}
"""By type, the parameter that names what a resource is part of."""
_UNSUPPORTED = frozenset({"_filter", "_query", "_list", "_contained", "_containedType", "_score"})
_SECOND_COLUMNS: dict[str, dict[RowColumn, RowColumn]] = {
    "token": {"system": "system2", "value": "value2"},
    "reference": {"system": "system2", "value": "value2"},
    "string": {"value": "value2"},
    "uri": {"value": "value2"},
}
"""Where a composite's second component stands in its rows."""


class UnknownParameter(BadRequest):
    """A parameter that this server does not know for the type; lenient handling ignores it."""


def lower(context: SearchContext, type_: str, name: str, value: str) -> Expression:
    """What `name=value` asks of a resource of the type. Raises BadRequest with the name in its diagnostics."""
    return _Lowering(context, name).parameter(type_, name, value, MOST_LINKS)


class _Lowering:
    def __init__(self, context: SearchContext, written: str) -> None:
        self._context, self._table, self._frame, self._written = context, context.table, context.frame, written

    def _refuse(self, sentence: str, code: str = "invalid") -> NoReturn:
        raise BadRequest(Issue(code, f"The search parameter '{self._written[:200]}': {sentence}"))

    def parameter(self, type_: str, name: str, value: str, links: int) -> Expression:
        if not value:
            self._refuse("a value is missing after '='.")
        if len(value) > LONGEST_VALUE:
            self._refuse(f"the value has more than {LONGEST_VALUE} characters.", "too-long")
        if name.startswith("_has:"):
            return self._has(type_, name, value, links)
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        parameter = self._find(type_, code)
        if dot:
            return self._chain(parameter, modifier, rest, value, links)
        return self._lowered(parameter, modifier, value)

    def _find(self, type_: str, code: str) -> SearchParameter:
        parameter = self._table.find(type_, code)
        if parameter is None:
            if code in _UNSUPPORTED:
                raise UnknownParameter(Issue("not-supported", f"The search parameter '{code}' is not supported."))
            known = [known for known, found in self._table[type_].items() if not found.internal]
            near = get_close_matches(code, known, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise UnknownParameter(Issue("not-supported", f"The search parameter '{code[:100]}' is not known for {type_}.{hint}"))
        return parameter

    # Chains --------------------------------------------------------------------------------------------------------------

    def _chain(self, parameter: SearchParameter, modifier: str, rest: str, value: str, links: int) -> Expression:
        if parameter.kind != "reference":
            self._refuse(f"'{parameter.code}' is not a reference, so that nothing can be chained to it.")
        if links == 0:
            self._refuse(f"a chain has at most {MOST_LINKS} links.", "too-costly")
        targets = self._targets(parameter, modifier)
        found: list[tuple[str, Expression]] = []
        unknown: UnknownParameter | None = None
        for target in targets:
            try:
                found.append((target, self.parameter(target, rest, value, links - 1)))
            except UnknownParameter as reason:
                unknown = reason
        if not found:
            raise unknown or UnknownParameter(
                Issue("not-supported", f"The search parameter '{self._written}': it points at no type that is served.")
            )
        return either(*(Chain(row, tuple(found)) for row in parameter.rows))

    def _targets(self, parameter: SearchParameter, modifier: str) -> Sequence[str]:
        allowed = parameter.targets or self._table.types
        if modifier:
            if modifier not in allowed:
                self._refuse(f"'{parameter.code}' does not point at '{modifier}'.")
            return (modifier,)
        return [target for target in allowed if target in self._table.types]

    def _has(self, type_: str, name: str, value: str, links: int) -> Expression:
        parts = name.split(":", 3)
        if len(parts) < 4 or not all(parts):
            self._refuse("write _has:Type:reference:parameter.")
        if links == 0:
            self._refuse(f"_has is nested at most {MOST_LINKS} times.", "too-costly")
        _, source, code, rest = parts
        if source not in self._table.types:
            self._refuse(f"'{source}' is not a type that is served.")
        parameter = self._find(source, code)
        if parameter.kind != "reference" or (parameter.targets and type_ not in parameter.targets):
            self._refuse(f"'{code}' of {source} does not point at {type_}.")
        where = self.parameter(source, rest, value, links - 1)
        return either(*(Has(source, row, where) for row in parameter.rows))

    # One parameter -------------------------------------------------------------------------------------------------------

    def _lowered(self, parameter: SearchParameter, modifier: str, value: str) -> Expression:
        of_type = parameter.kind == "reference" and modifier[:1].isupper()
        if of_type and modifier not in (parameter.targets or self._table.types):
            self._refuse(f"'{parameter.code}' does not point at '{modifier}'.")
        if modifier and not of_type and modifier not in MODIFIERS[parameter.kind]:
            allowed = ", ".join(f":{known}" for known in MODIFIERS[parameter.kind]) or "none"
            self._refuse(f"the modifier ':{modifier}' is not one that it takes ({allowed}).", "not-supported")
        if modifier == "missing":
            if value not in ("true", "false"):
                self._refuse("':missing' takes true or false.")
            present = self._present(parameter)
            return Not(present) if value == "true" else present
        parts = split(value, ",")
        if len(parts) > MOST_VALUES:
            self._refuse(f"at most {MOST_VALUES} values can be given at once.", "too-costly")
        if not all(parts):
            self._refuse("a value between commas is empty.")
        try:
            found = self._one(parameter, modifier, value) if len(parts) == 1 else self._any(parameter, modifier, parts)
        except ValueError as reason:
            self._refuse(f"{reason}.")
        return Not(found) if modifier in ("not", "not-in") else found

    def _any(self, parameter: SearchParameter, modifier: str, parts: list[str]) -> Expression:
        return either(*(self._one(parameter, modifier, part) for part in parts))

    def _present(self, parameter: SearchParameter) -> Expression:
        match parameter.column:
            case "id" | "last_updated":
                return EVERYTHING
            case "client":
                return either(Own("client", "!=", ""), Row(parameter.name))
            case _:
                return either(*(Row(row) for row in parameter.rows))

    def _one(self, parameter: SearchParameter, modifier: str, text: str) -> Expression:
        match parameter.kind:
            case "token":
                return self._token(parameter, modifier, text)
            case "reference":
                return self._reference(parameter, modifier, text)
            case "date" if parameter.column == "last_updated":
                return self._last_updated(text)
            case "words":
                return self._words(parameter, text)
            case "composite":
                return _rows(parameter, self._composite(parameter, text))
            case kind:
                return _rows(parameter, self._alternatives(kind, modifier, text))

    def _alternatives(self, kind: str, modifier: str, text: str) -> Alternatives:
        match kind:
            case "date":
                return values.date(text, self._frame)
            case "number":
                return values.number(text)
            case "quantity":
                return values.quantity(text)
            case "uri":
                return values.uri(text, modifier)
            case _:
                return values.string(text, modifier)

    def _token(self, parameter: SearchParameter, modifier: str, text: str) -> Expression:
        if parameter.column == "id":
            if modifier not in ("", "not"):
                self._refuse(f"the modifier ':{modifier}' is not one that it takes (:not, :missing).", "not-supported")
            return Own("id", "=", unescaped(text))
        match modifier:
            case "text":
                return _rows(parameter, values.string(text), ":text")
            case "of-type":
                return _rows(parameter, values.of_type(text), ":of-type")
            case "in" | "not-in":
                return _rows(parameter, self._value_set(text))
            case "above" | "below":
                return _rows(parameter, self._hierarchy(modifier, text))
            case _:
                codes = bool(parameter.leaves) and all(leaf.type in ("code", "boolean", "said") for leaf in parameter.leaves)
                return _rows(parameter, values.token(text, implied_system=codes))

    def _value_set(self, text: str) -> Alternatives:
        url = unescaped(text)
        codes = self._context.terminology.codes(url)
        if codes is None:
            self._refuse(f"the value set '{url[:200]}' is not known here, or can't be expanded.", "not-found")
        if len(codes) > MOST_CODES:
            self._refuse(f"the value set '{url[:200]}' has more than {MOST_CODES} codes.", "too-costly")
        return [(Test("system", "=", system), Test("value", "=", code)) for system, code in sorted(codes)]

    def _hierarchy(self, modifier: str, text: str) -> Alternatives:
        system, bar, code = (unescaped(part) for part in text.partition("|"))
        terminology = self._context.terminology
        codes = (terminology.subsuming if modifier == "above" else terminology.subsumed)(system, code) if bar else None
        if codes is None:
            self._refuse(f"the hierarchy of '{text[:200]}' is not known here; write system|code of a known code system.", "not-supported")
        return [(Test("system", "=", system), Test("value", "=", one)) for one in sorted(codes)]

    def _reference(self, parameter: SearchParameter, modifier: str, text: str) -> Expression:
        if modifier == "identifier":
            return _rows(parameter, values.token(text), ":identifier")
        if modifier in ("above", "below"):
            return self._part_of(parameter, modifier, text)
        named = modifier or (parameter.targets[0] if len(parameter.targets) == 1 else "")
        if parameter.column == "client" or (parameter.reads_client and "/" in text):
            found = read_reference(unescaped(text), self._frame.base_url)
            if found.type == "Patient" and modifier in ("", "Patient"):
                return Own("client", "=", found.id)
            if parameter.column == "client" and named == "Patient" and "/" not in text and ":" not in text:
                return Own("client", "=", unescaped(text))
        return _rows(parameter, values.reference(text, self._frame, parameter.targets, modifier_type=modifier))

    def _part_of(self, parameter: SearchParameter, modifier: str, text: str) -> Expression:
        """Below: it, or something that is part of it, some levels deep. Above: it, or what it is part of."""
        found = read_reference(unescaped(text), self._frame.base_url)
        allowed = [target for target in parameter.targets if target in _HIERARCHIES and target in self._table.types]
        type_ = found.type or (allowed[0] if len(allowed) == 1 else "")
        if type_ not in allowed:
            self._refuse(f"':{modifier}' needs a reference to one of: {', '.join(allowed) or 'none'}.", "not-supported")
        part_of = f"{type_}.{_HIERARCHIES[type_]}"
        level: Expression = Own("id", "=", found.id)
        levels: list[Expression] = [level]
        for _ in range(LEVELS - 1):
            below = modifier == "below"
            level = Chain(part_of, ((type_, level),)) if below else Has(type_, part_of, level)
            levels.append(level)
        return either(*(Chain(row, ((type_, either(*levels)),)) for row in parameter.rows))

    def _last_updated(self, text: str) -> Expression:
        prefix, low, high = values.moment(text, self._frame)
        match prefix:
            case "gt" | "sa":
                return Own("last_updated", ">=", high)
            case "lt" | "eb":
                return Own("last_updated", "<", low)
            case "ge":
                return Own("last_updated", ">=", low)
            case "le":
                return Own("last_updated", "<", high)
            case "ne":
                return either(Own("last_updated", "<", low), Own("last_updated", ">=", high))
            case _:
                return both(Own("last_updated", ">=", low), Own("last_updated", "<", high))

    def _words(self, parameter: SearchParameter, text: str) -> Expression:
        asked = words(unescaped(text))
        if not asked:
            self._refuse("there is no word to look for.")
        return both(*(self._word(parameter, word) for word in asked))

    def _word(self, parameter: SearchParameter, word: str) -> Expression:
        tests = (Test("value", "=", word),)
        own: Expression = Row(parameter.name, tests)
        if parameter.name == "DocumentReference._content" and "Binary" in self._table.types:
            return either(own, Has("Binary", "Binary.security-context", Row("Binary._content", tests)))
        return own

    def _composite(self, parameter: SearchParameter, text: str) -> Alternatives:
        parts = split(text, "$")
        if len(parts) != 2 or not all(parts):
            raise ValueError(f"'{text}' is not two values with '$' between them")
        first, second = (self._component(part.kind, value) for part, value in zip(parameter.components, parts, strict=True))
        columns = _SECOND_COLUMNS.get(parameter.components[1].kind, {})
        moved = [tuple(test._replace(column=columns.get(test.column, test.column)) for test in tests) for tests in second]
        return [one + two for one in first for two in moved]

    def _component(self, kind: str, text: str) -> Alternatives:
        if kind == "token":
            return values.token(text)
        return values.reference(text, self._frame, ()) if kind == "reference" else self._alternatives(kind, "", text)


def _rows(parameter: SearchParameter, alternatives: Iterable[values.Tests], modifier: str = "") -> Expression:
    """Some row of the parameter passes one of the alternatives."""
    found = tuple(Row(row + modifier, tests) for row in parameter.rows for tests in alternatives)
    return found[0] if len(found) == 1 else Or(found)
