"""Page links: all that a page needs is in the link, sealed for the caller that it was given to.

Sealed, not only signed: a link says up to which moment the search looks, and that is nobody's business.
"""
from typing import Any

import msgspec

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.identity.actor import Actor
from recovery_api.identity.keys import Sealer

PARAMETER = "_page"


def seal(sealer: Sealer, actor: Actor, content: Any) -> str:
    """The value of `_page` that stands for this content (what JSON can hold), for this caller."""
    return sealer.seal(msgspec.json.encode(content), _caller(actor))


def unseal(sealer: Sealer, actor: Actor, value: str) -> Any:
    """The content of a page link. Raises BadRequest, the same for one that was changed and one that is another caller's."""
    content = sealer.unseal(value, _caller(actor))
    if content is None:
        raise BadRequest(Issue("value", f"{PARAMETER} is not a page link of this caller's; begin the search again."))
    return msgspec.json.decode(content)


def _caller(actor: Actor) -> bytes:
    return msgspec.json.encode((actor.role, actor.holder, actor.organization, actor.patient, actor.client_id))
