"""One range of bytes out of an answer (RFC 9110, 14): what is asked for, and whether it still holds."""
import re

from recovery_api.fhir.errors import RangeNotSatisfiable

_ONE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})", re.ASCII)


def selected(asked: str | None, condition: str | None, etag: str, size: int) -> range | None:
    """The bytes that a Range header selects of `size`; None for all of them.

    That is where nothing, more than one range or what is no range is asked for, and where If-Range names another ETag, or a date.

    Raises RangeNotSatisfiable where the range begins behind the end.
    """
    found = _ONE.fullmatch(asked.replace(" ", "")) if asked else None
    if found is None or (condition is not None and condition.strip() != etag):
        return None
    first, last = found["first"], found["last"]
    if not first and not last:
        return None
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or not end > start:
        raise RangeNotSatisfiable(size)
    return range(start, end)
