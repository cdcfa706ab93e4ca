"""The client that loads a server: keep-alive connections on loopback, one request in flight on each."""

import selectors
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple

CHUNK = 1 << 18


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: bytes
    body: bytes
    nanoseconds: int
    """From the first byte sent to the last byte received."""


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.place = 0
        self._sent = 0
        self._received = b""

    def send(self, place: int, request: bytes) -> None:
        self.place, self._received, self._sent = place, b"", time.perf_counter_ns()
        self.socket.sendall(request)

    def receive(self) -> Answer | None:
        """The answer, once all of it is there."""
        chunk = self.socket.recv(CHUNK)
        if not chunk:
            raise ConnectionError("The server closed the connection.")
        self._received += chunk
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return None
        return Answer(int(head[9:12]), head, body, time.perf_counter_ns() - self._sent)


def ask(port: int, requests: Sequence[bytes], connections: int = 1) -> list[Answer]:
    """The answers to the requests, in their order."""
    answers: list[Answer | None] = [None] * len(requests)
    waiting = iter(enumerate(requests))
    open_ = [_Connection(port) for _ in range(min(connections, len(requests)))]
    with selectors.DefaultSelector() as selector:
        for connection, (place, request) in zip(open_, waiting, strict=False):
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(place, request)
        busy = len(open_)
        while busy:
            for key, _ in selector.select(60):
                connection: _Connection = key.data
                if (answer := connection.receive()) is None:
                    continue
                answers[connection.place] = answer
                if (following := next(waiting, None)) is None:
                    busy -= 1
                else:
                    connection.send(*following)
    for connection in open_:
        connection.socket.close()
    return [answer for answer in answers if answer is not None]


def get(port: int, path: str) -> int:
    """The status of a GET; 0 where nobody listens."""
    try:
        [answer] = ask(port, [request("GET", path)])
    except OSError:
        return 0
    return answer.status


def request(method: str, path: str, token: str = "", body: bytes = b"", **headers: str) -> bytes:
    """An HTTP request on the wire. Header names are given with _ for -."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", "accept: application/fhir+json"]
    lines += [f"authorization: Bearer {token}"] if token else []
    lines += ["content-type: application/fhir+json", f"content-length: {len(body)}"] if body else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
