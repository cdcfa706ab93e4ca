"""Subscriptions over a websocket: bound by a token, told as any other, ended with what they rest on."""
import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from recovery_api.fhir.errors import ServiceUnavailable
from recovery_api.fhir.json import JsonObject, parse
from recovery_api.routers import websocket
from tests.api import Api, Client
from tests.callers import MAYA, RUTH
from tests.http.notified import deliver, events, status, value, wish
from tests.http.test_deliveries import flagged


async def token(client: Client, path: str) -> dict[str, Any]:
    answer = await client.get(f"{path}/$get-ws-binding-token")
    assert answer.status == 200, answer.body
    return {each["name"]: value(each) for each in answer.json["parameter"]}


async def heard(socket: ClientConnection) -> JsonObject:
    async with asyncio.timeout(20):
        return parse(str(await socket.recv()).encode())


def kind(bundle: JsonObject) -> str:
    return next(each["valueCode"] for each in status(bundle) if each["name"] == "type")


async def test_a_websocket_is_bound_by_a_token_and_told_what_happens(api: Api) -> None:
    ruth = api.as_(RUTH)
    made = (await ruth.post("Subscription", wish("high-acuity-observation"))).json
    assert made["status"] == "active"
    path = f"Subscription/{made['id']}"
    assert (await api.as_(MAYA).get(f"{path}/$get-ws-binding-token")).status == 404
    said = await token(ruth, path)
    assert said["subscription"] == made["id"]
    assert said["websocket-url"] == "ws://127.0.0.1:8000/fhir/websocket"
    address = f"ws://127.0.0.1:{api.port}/fhir/websocket"
    async with connect(address, proxy=None) as one, connect(address, proxy=None) as other:
        for socket in (one, other):
            await socket.send(f"bind-with-token: {said['token']}")
            assert kind(await heard(socket)) == "handshake"
        flags = [await flagged(api, number) for number in range(2)]
        await deliver(api)
        for socket in (one, other):
            told = [await heard(socket) for _ in flags]
            assert [kind(each) for each in told] == ["event-notification"] * 2
            assert [events(each)[0]["event-number"] for each in told] == ["1", "2"]
            assert [events(each)[0]["focus"].partition("/fhir/")[2] for each in told] == flags
        assert (await ruth.delete(path)).status == 204
        for socket in (one, other):
            with pytest.raises(ConnectionClosed):
                await heard(socket)


async def test_a_websocket_that_cannot_be_told_now_is_closed_until_later(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise ServiceUnavailable

    ruth = api.as_(RUTH)
    path = f"Subscription/{(await ruth.post('Subscription', wish('high-acuity-observation'))).json['id']}"
    monkeypatch.setattr(websocket, "news", away)
    async with connect(f"ws://127.0.0.1:{api.port}/fhir/websocket", proxy=None) as socket:
        await socket.send(f"bind-with-token: {(await token(ruth, path))['token']}")
        assert kind(await heard(socket)) == "handshake"
        with pytest.raises(ConnectionClosed) as closed:
            await heard(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


async def test_what_is_no_token_or_is_too_old_closes_the_connection(api: Api) -> None:
    ruth = api.as_(RUTH)
    path = f"Subscription/{(await ruth.post('Subscription', wish('high-acuity-observation'))).json['id']}"
    old = await token(ruth, path)
    api.clock.move(seconds=301)
    for message in ("hello", "bind-with-token", "bind-with-token not-a-token", f"bind-with-token {old['token']}"):
        async with connect(f"ws://127.0.0.1:{api.port}/fhir/websocket", proxy=None) as socket:
            await socket.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await heard(socket)
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1008
