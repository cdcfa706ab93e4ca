"""FHIR's primitive types: which JSON values they take (https://hl7.org/fhir/R4/datatypes.html#primitive)."""
import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from calendar import monthrange
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from recovery_api.fhir.json import Json


class Primitive(NamedTuple):
    """A primitive type: the test that a JSON value must pass, and what to tell whoever sent another."""

    accepts: Callable[[Json], bool]
    json: str
    """The JSON type: "string", "number" or "boolean"."""
    says: str
    """What the value must be, to be read after "must be"."""


MAX_STRING = 1_048_576
MAX_INTEGER = 2_147_483_647
MIN_INTEGER = -2_147_483_648

_YEAR = r"(?!0000)\d{4}"
_MONTH = r"0[1-9]|1[0-2]"
_DAY = r"0[1-9]|[12]\d|3[01]"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_control = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]").search
_space = re.compile(r"[\x00-\x20]").search
_date = re.compile(rf"({_YEAR})(?:-({_MONTH})(?:-({_DAY}))?)?", re.ASCII).fullmatch
_date_time = re.compile(rf"({_YEAR})(?:-({_MONTH})(?:-({_DAY})(?:T{_TIME}{_ZONE})?)?)?", re.ASCII).fullmatch
_instant = re.compile(rf"({_YEAR})-({_MONTH})-({_DAY})T{_TIME}{_ZONE}", re.ASCII).fullmatch
_code = re.compile(r"[^\x00-\x20]+(?:[ ][^\x00-\x20]+)*").fullmatch
_time = re.compile(_TIME, re.ASCII).fullmatch
_id = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_oid = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+").fullmatch
_uuid = re.compile(rf"urn:uuid:{_UUID}").fullmatch


def _is_string(value: Json) -> bool:
    return (
        type(value) is str
        and value != ""
        and (value.isprintable() or not _control(value))
        and len(value) <= MAX_STRING
    )


def _is_xhtml(value: Json) -> bool:
    return type(value) is str and value != ""


def _is_uri(value: Json) -> bool:
    return type(value) is str and value != "" and not _space(value)


def _is_code(value: Json) -> bool:
    return type(value) is str and _code(value) is not None


def _is_id(value: Json) -> bool:
    return type(value) is str and _id(value) is not None


def _exists(match: re.Match[str] | None) -> bool:
    if match is None:
        return False
    year, month, day = match.groups()
    return day is None or day <= "28" or int(day) <= monthrange(int(year), int(month))[1]


def _is_date(value: Json) -> bool:
    return type(value) is str and _exists(_date(value))


def _is_date_time(value: Json) -> bool:
    return type(value) is str and _exists(_date_time(value))


def _is_instant(value: Json) -> bool:
    return type(value) is str and _exists(_instant(value))


def _is_time(value: Json) -> bool:
    return type(value) is str and _time(value) is not None


def _is_oid(value: Json) -> bool:
    return type(value) is str and _oid(value) is not None


def _is_uuid(value: Json) -> bool:
    return type(value) is str and _uuid(value) is not None


def _is_base64(value: Json) -> bool:
    if type(value) is not str or not value:
        return False
    try:
        return len(a2b_base64("".join(value.split()), strict_mode=True)) > 0
    except (NotBase64, ValueError):
        return False


def _is_boolean(value: Json) -> bool:
    return value is True or value is False


def _is_decimal(value: Json) -> bool:
    return type(value) is int or (type(value) is Decimal and value.is_finite())


def _is_integer(value: Json) -> bool:
    return type(value) is int and MIN_INTEGER <= value <= MAX_INTEGER


def _is_unsigned(value: Json) -> bool:
    return type(value) is int and 0 <= value <= MAX_INTEGER


def _is_positive(value: Json) -> bool:
    return type(value) is int and 0 < value <= MAX_INTEGER


_ZONED = "with seconds and a time zone (Z or +hh:mm)"

PRIMITIVES: Mapping[str, Primitive] = {
    "base64Binary": Primitive(_is_base64, "string", "base64 (RFC 4648) that decodes"),
    "boolean": Primitive(_is_boolean, "boolean", "true or false"),
    "canonical": Primitive(_is_uri, "string", "a canonical URL without spaces"),
    "code": Primitive(_is_code, "string", "a code: not empty, without leading, trailing or double spaces"),
    "date": Primitive(_is_date, "string", "a date that exists: YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": Primitive(_is_date_time, "string", f"a date that exists: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss {_ZONED}"),
    "decimal": Primitive(_is_decimal, "number", "a decimal number"),
    "id": Primitive(_is_id, "string", "an id: 1 to 64 of A-Z, a-z, 0-9, '-' and '.'"),
    "instant": Primitive(_is_instant, "string", f"an instant that exists: YYYY-MM-DDThh:mm:ss {_ZONED}"),
    "integer": Primitive(_is_integer, "number", "a whole number of 32 bits, written without fraction or exponent"),
    "markdown": Primitive(_is_string, "string", "text that is not empty, without control characters, of at most 1 MB"),
    "oid": Primitive(_is_oid, "string", "an OID: urn:oid:1.2.3"),
    "positiveInt": Primitive(_is_positive, "number", "a whole number from 1 to 2147483647"),
    "string": Primitive(_is_string, "string", "text that is not empty, without control characters, of at most 1 MB"),
    "time": Primitive(_is_time, "string", "a time of day: hh:mm:ss"),
    "unsignedInt": Primitive(_is_unsigned, "number", "a whole number from 0 to 2147483647"),
    "uri": Primitive(_is_uri, "string", "a URI without spaces"),
    "url": Primitive(_is_uri, "string", "a URL without spaces"),
    "uuid": Primitive(_is_uuid, "string", "a UUID in lower case: urn:uuid:…"),
    "xhtml": Primitive(_is_xhtml, "string", "XHTML in a div"),
}
