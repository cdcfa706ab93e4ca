"""Page links: all that a page needs is in the link, signed, and bound to the caller that it was given to."""
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Any

import msgspec

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.identity.actor import Actor
from recovery_api.identity.keys import Signer

PARAMETER = "_page"


def seal(signer: Signer, actor: Actor, content: Any) -> str:
    """The value of `_page` that stands for this content (what JSON can hold), for this caller."""
    payload = msgspec.json.encode([_caller(actor), content])
    return f"{urlsafe_b64encode(payload).rstrip(b'=').decode()}.{signer.sign(payload)}"


def unseal(signer: Signer, actor: Actor, value: str) -> Any:
    """The content of a page link. Raises BadRequest, the same for one that was changed and one that is another caller's."""
    text, _, signature = value.partition(".")
    try:
        payload = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        payload = b""
    if payload and signer.verify(payload, signature):
        caller, content = msgspec.json.decode(payload)
        if caller == _caller(actor):
            return content
    raise BadRequest(Issue("value", f"{PARAMETER} is not a page link of this caller's; begin the search again."))


def _caller(actor: Actor) -> list[str]:
    return [actor.role, actor.holder, actor.organization or "", actor.patient or "", actor.client_id or ""]
