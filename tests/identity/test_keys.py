import json
import stat
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery_api.identity.keys import KeyRing, Sealer, thumbprint, verification_keys


def test_keys_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "keys"
    first = KeyRing(folder).signing()
    assert KeyRing(folder).signing().kid == first.kid
    assert [path.name for path in folder.iterdir()] == ["es256-1.jwk"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "es256-1.jwk").stat().st_mode) == 0o600


def test_of_many_that_start_at_once_one_makes_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        kids = list(pool.map(lambda _: KeyRing(tmp_path).signing().kid, range(16)))
        secrets = list(pool.map(lambda _: KeyRing(tmp_path).secret("page-links"), range(16)))
    assert len(set(kids)) == 1
    assert len(set(secrets)) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"es256-1.jwk", "page-links.secret"}


def test_public_keys_are_published_newest_first_and_private_ones_never(ring: KeyRing) -> None:
    old, new, rsa = ring.signing(), ring.rotate(), ring.signing("RS256")
    published = ring.jwks()["keys"]
    assert [(key["kid"], key["alg"], key["use"]) for key in published] == [
        (new.kid, "ES256", "sig"),
        (old.kid, "ES256", "sig"),
        (rsa.kid, "RS256", "sig"),
    ]
    assert all(set(key) <= {"kty", "kid", "alg", "use", "crv", "x", "y", "n", "e"} for key in published)
    assert ring.signing().kid == new.kid


def test_a_key_is_named_by_its_thumbprint() -> None:
    published = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W"
        "-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyr"
        "dkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
    }
    assert thumbprint(published) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"  # RFC 7638, section 3.1


def test_a_foreign_file_in_the_folder_is_no_key(ring: KeyRing) -> None:
    ring.signing()
    for name in (".es256-2.jwk.draft", "es256-0.jwk", "notes.txt"):
        (ring.folder / name).write_text("{}")
    assert len(KeyRing(ring.folder).jwks()["keys"]) == 1


def test_of_a_strangers_key_set_only_what_may_verify_is_taken(ring: KeyRing) -> None:
    ec, rsa = dict(ring.signing().public), dict(ring.signing("RS256").public)
    private = json.loads((ring.folder / "es256-1.jwk").read_text())
    refused = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},
        ec | {"use": "enc"},
        ec | {"alg": "HS256"},
        ec | {"alg": "ES384"},
        ec | {"alg": "none"},
        ec | {"crv": "P-521"},
        ec | {"x": "AAAA"},
        {"kty": "EC", "crv": "P-256"},
        rsa | {"alg": "RS512"},
        rsa | {"n": rsa["n"][:170]},
        rsa | {"n": "A" * 300 + rsa["n"][:170]},
        rsa | {"e": "AA"},
        "key",
        None,
    ]
    assert verification_keys({"keys": refused}) == ()
    taken = verification_keys({"keys": [ec, {name: ec[name] for name in ("kty", "crv", "x", "y")}, rsa, private, *refused]})
    assert [(key.kid, key.algorithm) for key in taken] == [(ec["kid"], "ES256"), ("", "ES256"), (rsa["kid"], "RS256"), (ec["kid"], "ES256")]
    assert all("d" not in key.key.to_dict() for key in taken)


@pytest.mark.parametrize("jwks", [{}, {"keys": {}}, {"keys": "x"}, {"keys": [None] * 101}])
def test_what_is_no_key_set_is_refused(jwks: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        verification_keys(jwks)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_is_sealed_is_opened_unchanged_and_for_its_owner_alone(content: bytes, whose: bytes) -> None:
    sealer = Sealer(b"s" * 32)
    sealed = sealer.seal(content, whose)
    assert sealed == sealer.seal(content, whose)
    assert sealer.unseal(sealed, whose) == content
    assert sealer.unseal(sealed, whose + b"x") is None
    assert sealer.unseal(sealed[:-2], whose) is None
    assert sealer.unseal(f"x{sealed}", whose) is None
    assert Sealer(b"t" * 32).unseal(sealed, whose) is None


@pytest.mark.parametrize("forged", ["", "é", "A", "AAAA", "A" * 64])
def test_what_was_never_sealed_is_not_opened(forged: str) -> None:
    assert Sealer(b"s" * 32).unseal(forged, b"") is None


def test_what_is_sealed_does_not_show() -> None:
    assert "1762776000000000" not in repr(urlsafe_b64decode(Sealer(b"s" * 32).seal(b"1762776000000000", b"") + "=="))
