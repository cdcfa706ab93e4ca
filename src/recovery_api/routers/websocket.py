"""The websocket of Subscriptions, as an ASGI application (Subscriptions R5 backport, websockets).

Whoever connects says `bind-with-token TOKEN`, and is answered with a handshake for each Subscription that the token is for; then come
notifications. A token that is not good closes the connection, and so does silence.
"""
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from recovery_api.fhir.errors import FhirError
from recovery_api.fhir.instants import SECOND
from recovery_api.interactions.context import Server
from recovery_api.interactions.notifying.binding import binding, greeting, news, open_now
from recovery_api.routers.asgi import Message, Receive, Scope, Send

BIND: Final = "bind-with-token"
PAUSE: Final = 1.0
"""Seconds between two looks."""
PATIENCE: Final = 30.0
"""Seconds in which a connection must be bound."""
REFUSED: Final = 1008
"""https://datatracker.ietf.org/doc/html/rfc6455#section-7.4.1: a policy is broken."""
ENDED: Final = 1000
LATER: Final = 1013
"""It may be tried again (IANA, WebSocket Close Code Numbers)."""


@dataclass(slots=True)
class _Bound:
    """A Subscription that a connection is bound to: the last event that it was told, and when it was last told anything."""

    last: int
    heard: int


class SubscriptionSocket:
    """Answers websocket connections."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        del scope
        await receive()
        await send({"type": "websocket.accept"})
        bound: dict[str, _Bound] = {}
        incoming = asyncio.ensure_future(receive())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        try:
            while True:
                await asyncio.wait([incoming], timeout=PAUSE)
                if incoming.done():
                    said = incoming.result()
                    if said["type"] == "websocket.disconnect":
                        return None
                    if not await self._bind(said, bound, send):
                        return await send({"type": "websocket.close", "code": REFUSED})
                    incoming = asyncio.ensure_future(receive())
                for id in list(bound):
                    if not await self._tell(id, bound[id], send):
                        del bound[id]
                        if not bound:
                            return await send({"type": "websocket.close", "code": ENDED})
                if not bound and loop.time() > deadline:
                    return await send({"type": "websocket.close", "code": REFUSED})
        except FhirError:
            return await send({"type": "websocket.close", "code": LATER})
        finally:
            incoming.cancel()

    async def _bind(self, said: Message, bound: dict[str, _Bound], send: Send) -> bool:
        """Bind the connection as a message says; False where it says nothing of the kind."""
        word, _, token = (said.get("text") or "").strip().replace(":", " ", 1).partition(" ")
        ids: Sequence[str] = binding(self._server, token.strip()) if word == BIND else ()
        for id in ids:
            subscriber = await open_now(self._server, id)
            if subscriber is None:
                return False
            bound[id] = _Bound(subscriber.standing.number, self._server.clock())
            await _send(send, greeting(self._server, subscriber, "handshake"))
        return bool(ids)

    async def _tell(self, id: str, bound: _Bound, send: Send) -> bool:
        """Tell what there is to tell; False where the Subscription is over."""
        subscriber = await open_now(self._server, id)
        if subscriber is None:
            return False
        bound.last, said = await news(self._server, subscriber, bound.last)
        period = subscriber.wanted.heartbeat * SECOND
        if not said and period and self._server.clock() - bound.heard >= period:
            said = [greeting(self._server, subscriber, "heartbeat")]
        for each in said:
            bound.heard = self._server.clock()
            await _send(send, each)
        return True


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "websocket.send", "text": body.decode()})
