"""FHIR's JSON, in and out without loss (https://hl7.org/fhir/R4/json.html).

Numbers with a fraction or an exponent are Decimals and keep their precision: `1.00` stays `1.00`.
"""
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeAlias, cast

import msgspec

from recovery_api.fhir.errors import BadRequest, Issue

Json: TypeAlias = Any  # None, bool, int, Decimal, str, list or dict of these: checked against the definitions, not by types
JsonObject: TypeAlias = dict[str, Any]

MAX_DEPTH = 64


class _Refused(ValueError):
    """Text that json takes and FHIR does not."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise _Refused(f"the member '{twice}' stands twice in one object")
    return members


def _constant(name: str) -> None:
    raise _Refused(f"{name} is not a JSON number")


_strict = json.JSONDecoder(object_pairs_hook=_members, parse_float=Decimal, parse_constant=_constant)
_stored = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def parse(data: bytes) -> JsonObject:
    """The JSON object that a caller sent.

    Raises BadRequest for anything but one well-formed JSON object in UTF-8: duplicate members, NaN, lone surrogates,
    and nesting deeper than 64 levels are refused.
    """
    try:
        value = _strict.decode(data.decode())
        if b"\\u" in data:
            _encoder.encode(value)
    except UnicodeError:
        raise BadRequest("The body is not valid UTF-8 text.") from None
    except _Refused as refused:
        raise BadRequest(f"The body is not JSON that FHIR allows: {refused}.") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"The body is not well-formed JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except (ValueError, RecursionError):
        raise BadRequest("The body is nested too deeply, or holds a number that is too long.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be one JSON object.")
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise BadRequest(Issue("structure", f"The body is nested more than {MAX_DEPTH} levels deep."))
    return cast(JsonObject, value)


def load(data: bytes) -> JsonObject:
    """The resource in stored bytes, which were checked when they were written."""
    return _stored.decode(data)


def dump(value: Json) -> bytes:
    """Compact JSON text in UTF-8, without loss."""
    return _encoder.encode(value)


def dump_pretty(data: bytes) -> bytes:
    """The same JSON text, indented by two spaces for people to read."""
    return msgspec.json.format(data, indent=2)


def _depth(value: Json) -> int:
    level: list[Json] = [value]
    depth = 0
    while level:
        depth += 1
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
    return depth


def _children(parent: Json) -> Iterable[Json]:
    return cast("JsonObject", parent).values() if isinstance(parent, dict) else cast("list[Json]", parent)
