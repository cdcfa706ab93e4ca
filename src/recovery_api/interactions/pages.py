"""Page links: all that a page needs is in the link, sealed for the caller that it was given to, and for the door that gave it.

Sealed, not only signed: a link says up to which moment the search looks, and that is nobody's business.
"""
from typing import Any

import msgspec

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.identity.actor import Actor
from recovery_api.identity.keys import Sealer

PARAMETER = "_page"


def seal(sealer: Sealer, actor: Actor, content: Any, *, door: str) -> str:
    """The value of `_page` that stands for this content (what JSON can hold), for this caller and door (search, history, …)."""
    return sealer.seal(msgspec.json.encode(content), _whose(actor, door))


def unseal(sealer: Sealer, actor: Actor, value: str, *, door: str) -> Any:
    """The content of a page link.

    Raises BadRequest, the same for one that was changed, one that is another caller's and one that another door gave.
    """
    content = sealer.unseal(value, _whose(actor, door))
    if content is None:
        raise BadRequest(Issue("value", f"{PARAMETER} is not a page link of this caller's; begin the search again."))
    return msgspec.json.decode(content)


def _whose(actor: Actor, door: str) -> bytes:
    return msgspec.json.encode((door, actor.role, actor.holder, actor.organization, actor.patient, actor.client_id))
