"""The body of an HTTP request: all of it, within bounds, and of a media type that the interaction takes."""
from collections.abc import Collection, Mapping

from recovery_api.fhir.errors import BadRequest, TooLarge, UnsupportedMediaType
from recovery_api.routers.asgi import Receive
from recovery_api.routers.negotiation import FORM, JSON_TYPES, PATCH_TYPES, media_type

MOST_BYTES = 16 << 20
"""The largest body that is taken."""
FORM_SEARCH = "search"
"""A search whose parameters are in its body."""


async def body(receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
    """The whole body. Raises TooLarge."""
    if int(headers.get(b"content-length", b"0") or b"0") > MOST_BYTES:
        raise TooLarge
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The connection ended before the body did.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BYTES:
            raise TooLarge
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def check_body_type(interaction: str, headers: Mapping[bytes, bytes]) -> str:
    """The media type of the body. Raises UnsupportedMediaType where the interaction does not take it."""
    name = media_type(headers.get(b"content-type", b"").decode("latin-1"))
    if interaction == FORM_SEARCH:
        allowed: Collection[str] = (FORM,)
    elif interaction == "patch":
        allowed = PATCH_TYPES
    else:
        allowed = JSON_TYPES
    if name not in allowed:
        raise UnsupportedMediaType(f"The body must be one of: {', '.join(sorted(allowed))}.")
    return name
