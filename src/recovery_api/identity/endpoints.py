"""Addresses that others name and we call: only public ones over https, or what the operator allowed (no SSRF).

A name is resolved once, every address behind it is judged, and the connection goes to one that was judged: a name that
resolves to something else a moment later changes nothing. Redirects are not followed, proxies of the environment not used;
SSL_CERT_FILE names the authorities of a private network.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import httpx

from recovery_api.fhir import json
from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.json import JsonObject

TIMEOUT = 5.0
"""Seconds that a whole call may take."""

LARGEST = 1 << 19
"""Bytes of the largest answer that is read."""

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})")
_NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)")


Resolve = Callable[[str, int], Awaitable[list[str]]]


class EndpointRefused(Exception):
    """An address that may not be called, or that did not give what it should; the message says which and why."""


class Fetched(NamedTuple):
    """A JSON object that was fetched, and the seconds that its sender lets it be kept (None: it does not say)."""

    value: JsonObject
    max_age: int | None


class Endpoints:
    """Calls addresses, after they were judged."""

    def __init__(self, allowed: Sequence[str] = (), resolve: Resolve | None = None) -> None:
        """`allowed`: origins, or origins with a path, that may be called though they are private or plain http.
        `resolve` gives the IP addresses behind a name and port; without it, the machine's resolver is asked."""
        self._allowed = tuple(allowed)
        self._resolve = resolve or _resolve

    async def fetch(self, address: str) -> Fetched:
        """The JSON object at an address, by GET. Raises EndpointRefused."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._fetch(address)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, UnicodeError, BadRequest) as error:
            raise EndpointRefused(f"{address} could not be read ({type(error).__name__}).") from error

    async def post(self, address: str, body: bytes, headers: Sequence[tuple[str, str]], seconds: float = TIMEOUT) -> None:
        """Send a body by POST, which may take so many seconds. Returns when it was taken (2xx); what else is answered is not looked at.

        Raises EndpointRefused, whose message names neither headers nor body.
        """
        try:
            async with asyncio.timeout(seconds):
                last, *before = reversed(await self.judged(address))
                for number in reversed(before):
                    try:
                        return await self._send(address, number, body, headers, seconds)
                    except httpx.ConnectError:
                        continue
                return await self._send(address, last, body, headers, seconds)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, UnicodeError) as error:
            raise EndpointRefused(f"The endpoint could not be reached ({type(error).__name__}).") from error

    def check(self, address: str) -> None:
        """Judge an address as far as that needs no resolver. Raises EndpointRefused."""
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            raise EndpointRefused(f"{address[:200]} is not an address that can be called.") from None
        allowed = self._is_allowed(url, address)
        private = url.host.rstrip(".").endswith("localhost") or (_is_number(url.host) and not is_public(url.host))
        if private and not allowed:
            raise EndpointRefused(f"{address} is private, and not among ALLOWED_PRIVATE_ENDPOINTS.")

    async def stream(self, address: str) -> AsyncGenerator[bytes]:
        """The bytes at an address, by GET, as they come. Raises EndpointRefused."""
        try:
            number = (await self.judged(address))[0]
            url = httpx.URL(address)
            headers = {"Host": url.netloc.decode(), "Accept-Encoding": "identity"}
            async with (
                httpx.AsyncClient(verify=httpx.create_ssl_context(), trust_env=False, timeout=TIMEOUT) as client,
                client.stream("GET", url.copy_with(host=number), headers=headers, extensions={"sni_hostname": url.host}) as response,
            ):
                if not response.is_success:
                    raise EndpointRefused(f"{address} answered {response.status_code}.")
                async for chunk in response.aiter_raw():
                    yield chunk
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise EndpointRefused(f"{address} could not be read ({type(error).__name__}).") from error

    async def judged(self, address: str) -> list[str]:
        """The IP addresses that may be called for an address now, in the order to try.

        Raises EndpointRefused, httpx.InvalidURL, or OSError where the name does not resolve.
        """
        url = httpx.URL(address)
        allowed = self._is_allowed(url, address)
        numbers = [url.host] if _is_number(url.host) else await self._resolve(url.host, _origin(url)[2])
        if not allowed and not all(is_public(number) for number in numbers):
            raise EndpointRefused(f"{address} is private, and not among ALLOWED_PRIVATE_ENDPOINTS.")
        return numbers

    def _is_allowed(self, url: httpx.URL, address: str) -> bool:
        """Whether the operator allows an address, which else must be public and https."""
        if url.scheme not in _PORTS or not url.host or url.userinfo:
            raise EndpointRefused(f"{address[:200]} is not an address that can be called.")
        allowed = any(_within(url, httpx.URL(prefix)) for prefix in self._allowed)
        if url.scheme != "https" and not allowed:
            raise EndpointRefused(f"{address} is not https, and not among ALLOWED_PRIVATE_ENDPOINTS.")
        return allowed

    async def _send(self, address: str, number: str, body: bytes, given: Sequence[tuple[str, str]], seconds: float) -> None:
        url = httpx.URL(address)
        headers = [("Host", url.netloc.decode()), *given]
        async with (
            httpx.AsyncClient(verify=self._authorities, trust_env=False, timeout=seconds, headers={"User-Agent": "recovery-api"}) as client,
            client.stream(
                "POST", url.copy_with(host=number), content=body, headers=headers, extensions={"sni_hostname": url.host}
            ) as response,
        ):
            if not response.is_success:
                raise EndpointRefused(f"The endpoint answered {response.status_code}.")

    @cached_property
    def _authorities(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    async def _fetch(self, address: str) -> Fetched:
        last, *before = reversed(await self.judged(address))
        for number in reversed(before):
            try:
                return await _read(address, number)
            except httpx.ConnectError:
                continue
        return await _read(address, last)


async def _resolve(name: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def _read(address: str, number: str) -> Fetched:
    url = httpx.URL(address)
    headers = {"Host": url.netloc.decode(), "Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        httpx.AsyncClient(verify=httpx.create_ssl_context(), trust_env=False, timeout=TIMEOUT) as client,
        client.stream("GET", url.copy_with(host=number), headers=headers, extensions={"sni_hostname": url.host}) as response,
    ):
        if not response.is_success:
            raise EndpointRefused(f"{address} answered {response.status_code}.")
        body = b""
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > LARGEST:
                raise EndpointRefused(f"{address} answered with more than {LARGEST} bytes.")
    return Fetched(json.parse(body), _max_age(response.headers.get("Cache-Control", "")))


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(number: str) -> bool:
    """Whether an IP address is one of the public Internet, and what it stands for too (IPv4 inside IPv6)."""
    address = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and not address.is_reserved


def _within(ours: httpx.URL, allowed: httpx.URL) -> bool:
    path = allowed.path.rstrip("/")
    same = _origin(ours) == _origin(allowed)
    return same and ".." not in ours.path and (ours.path == path or ours.path.startswith(f"{path}/"))


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or _PORTS[url.scheme]


def _max_age(cache_control: str) -> int | None:
    directives = cache_control.lower()
    if _NOT_KEPT.search(directives):
        return 0
    found = _MAX_AGE.search(directives)
    return int(found[1]) if found else None
