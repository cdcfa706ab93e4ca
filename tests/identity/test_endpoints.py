import asyncio
import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from recovery_api.identity.endpoints import LARGEST, EndpointRefused, Endpoints, Fetched, is_public
from tests.identity.provider import Provider, serving


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


def fetched(address: str, *allowed: str) -> Fetched:
    return asyncio.run(Endpoints(allowed).fetch(address))


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ({}, None),
        ({"Cache_Control": "public, max-age=600"}, 600),
        ({"Cache_Control": "MAX-AGE=5"}, 5),
        ({"Cache_Control": "s-maxage=9"}, None),
        ({"Cache_Control": "max-age=600, no-store"}, 0),
        ({"Cache_Control": "no-cache"}, 0),
    ],
)
def test_a_json_object_is_fetched_with_the_time_that_it_may_be_kept(provider: Provider, sent: dict[str, Any], seconds: int | None) -> None:
    address = provider.answer("/keys", {"keys": []}, **sent)
    assert fetched(address, provider.origin) == Fetched({"keys": []}, seconds)
    assert provider.asked[-1] == ("/keys", provider.origin.removeprefix("http://"))


@pytest.mark.parametrize("path", ["", "/", "/realm", "/realm/"])
def test_an_allowed_address_opens_what_is_below_it(provider: Provider, path: str) -> None:
    address = provider.answer("/realm/keys", {})
    assert fetched(address, provider.origin + path) == Fetched({}, None)


@pytest.mark.parametrize("path", ["/real", "/realm/keys/x", "/other"])
def test_an_allowed_address_opens_nothing_beside_it(provider: Provider, path: str) -> None:
    address = provider.answer("/realm/keys", {})
    with pytest.raises(EndpointRefused):
        fetched(address, provider.origin + path)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://127.1/",
        "https://2130706433/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[64:ff9b::7f00:1]/",
        "https://user@localhost/",
        "file:///etc/passwd",
        "ftp://localhost/",
        "https:///keys",
        "localhost",
        "https://exa mple/",
        "https://localhost:99999/",
        "",
    ],
)
def test_private_and_odd_addresses_are_refused(address: str) -> None:
    async def resolve(name: str, _: int) -> list[str]:
        if name in {"localhost", "127.1", "2130706433"}:
            return ["127.0.0.1"]
        raise OSError(name)

    with pytest.raises(EndpointRefused):
        asyncio.run(Endpoints(["http://localhost:1", "https://localhost:1/x"], resolve).fetch(address))


def test_a_way_out_of_an_allowed_path_is_refused(provider: Provider) -> None:
    provider.answer("/admin", {})
    with pytest.raises(EndpointRefused):
        fetched(f"{provider.origin}/realm/../admin", f"{provider.origin}/realm")
    with pytest.raises(EndpointRefused):
        fetched(f"{provider.origin}/realm/%2e%2e/admin", f"{provider.origin}/realm")


def test_every_address_behind_a_name_must_be_public() -> None:
    async def resolve(_: str, __: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.7"]

    with pytest.raises(EndpointRefused, match="private"):
        asyncio.run(Endpoints(resolve=resolve).judged("https://rebinding.test/"))


def test_a_public_name_may_be_called() -> None:
    async def resolve(_: str, port: int) -> list[str]:
        return ["8.8.8.8", "2606:4700::1111"] if port == 8443 else []

    assert asyncio.run(Endpoints(resolve=resolve).judged("https://idp.test:8443/keys")) == ["8.8.8.8", "2606:4700::1111"]
    assert asyncio.run(Endpoints().judged("https://8.8.8.8/keys")) == ["8.8.8.8"]


def test_a_name_is_resolved_once_and_the_judged_addresses_are_called(provider: Provider) -> None:
    asked: list[str] = []

    async def resolve(name: str, _: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.2", "127.0.0.1"]

    address = provider.answer("/keys", {"keys": []}).replace("localhost", "idp.test")
    endpoints = Endpoints([provider.origin.replace("localhost", "idp.test")], resolve)
    assert asyncio.run(endpoints.fetch(address)).value == {"keys": []}
    assert asked == ["idp.test"]
    assert provider.asked[-1][1].startswith("idp.test:")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"{}"),
        (500, b"{}"),
        (302, b"{}"),
        (200, b"[]"),
        (200, b"<html>"),
        (200, b'{"a":1,"a":2}'),
        (200, b""),
        (200, b'{"a":"' + b"x" * LARGEST + b'"}'),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_answer_that_is_no_small_json_object_is_refused(provider: Provider, status: int, body: bytes) -> None:
    address = provider.answer("/odd", body, status, Location=provider.answer("/keys", {}))
    before = len(provider.asked)
    with pytest.raises(EndpointRefused, match="localhost"):
        fetched(address, provider.origin)
    assert len(provider.asked) == before + 1


def test_nobody_there_is_a_refusal() -> None:
    with serving() as gone:
        origin = gone.origin
    with pytest.raises(EndpointRefused, match="could not be read"):
        fetched(f"{origin}/keys", origin)


@pytest.mark.parametrize(("name", "taken"), [("localhost", True), ("other.test", False)])
def test_over_tls_the_certificate_must_be_of_the_name_and_not_of_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, taken: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate(tmp_path, name)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with serving(context) as provider:
        address = provider.answer("/keys", {"keys": []})
        if taken:
            assert fetched(address, provider.origin).value == {"keys": []}
        else:
            with pytest.raises(EndpointRefused, match="ConnectError"):
                fetched(address, provider.origin)


def certificate(folder: Path, name: str) -> Path:
    """A certificate of the name that vouches for itself, beside its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem"


@pytest.mark.parametrize(
    ("number", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a00:1::", False),
    ],
)
def test_an_address_is_public_by_what_it_leads_to(number: str, public: bool) -> None:
    assert is_public(number) is public
