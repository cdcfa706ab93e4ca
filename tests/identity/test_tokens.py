import asyncio
import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jws

from recovery_api.fhir.errors import Unauthorized
from recovery_api.identity.claims import Claims
from recovery_api.identity.keys import KeyRing, SigningKey
from recovery_api.identity.tokens import LONGEST, TYPE, Tokens
from tests.identity.conftest import BASE, MAYA, PUBLIC_URL, T0, Clock, payload

Verified = Callable[[str], Claims]


def encoded(data: bytes | dict[str, Any]) -> str:
    text = json.dumps(data).encode() if isinstance(data, dict) else data
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(key: SigningKey, claims: dict[str, Any] | bytes, **header: Any) -> str:
    """A token with a header and a payload of any kind, whose signature is good."""
    head = {"alg": key.algorithm, "kid": key.kid, "typ": TYPE} | header
    opened = f"{encoded({name: value for name, value in head.items() if value is not None})}.{encoded(claims)}"
    return f"{opened}.{encoded(key.key.sign(opened.encode()))}"


def hmac_signed(secret: bytes, kid: str) -> str:
    opened = f"{encoded({'alg': 'HS256', 'kid': kid, 'typ': TYPE})}.{encoded(payload())}"
    return f"{opened}.{encoded(hmac.digest(secret, opened.encode(), hashlib.sha256))}"


def test_a_minted_token_says_what_was_asked_and_lasts_as_long(tokens: Tokens, verified: Verified) -> None:
    claims = verified(tokens.mint(MAYA | {"patient": "ana", "medical_personnel": True}, 60))
    assert claims == Claims(
        issuer=PUBLIC_URL,
        subject="Practitioner/maya",
        jti=claims.jti,
        issued=T0,
        expires=T0 + 60_000_000,
        scope=MAYA["scope"],
        fhir_user="Practitioner/maya",
        patient="ana",
        medical_personnel=True,
    )


def test_no_two_tokens_have_the_same_jti(tokens: Tokens, verified: Verified) -> None:
    assert verified(tokens.mint(MAYA, 60)).jti != verified(tokens.mint(MAYA, 60)).jti


def test_a_token_ends_at_its_last_moment(tokens: Tokens, verified: Verified, clock: Clock) -> None:
    token = tokens.mint(MAYA, 60)
    clock.move(59.999999)
    assert verified(token)
    clock.move(0.000001)
    with pytest.raises(Unauthorized):
        verified(token)


def test_a_complete_payload_is_taken(ring: KeyRing, verified: Verified) -> None:
    assert verified(signed(ring.signing(), payload())).subject == "Practitioner/maya"
    assert verified(signed(ring.signing(), payload(aud=[BASE]))).subject == "Practitioner/maya"
    assert verified(signed(ring.signing(), payload(exp=T0 / 1_000_000 + 0.5))).expires == T0 + 500_000


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "jti", "iat", "exp", "scope"])
def test_a_token_without_a_required_claim_is_refused(ring: KeyRing, verified: Verified, claim: str) -> None:
    with pytest.raises(Unauthorized):
        verified(signed(ring.signing(), payload(**{claim: None})))


NOW = T0 // 1_000_000


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.test"},
        {"iss": f"{PUBLIC_URL}/"},
        {"iss": [PUBLIC_URL]},
        {"aud": PUBLIC_URL},
        {"aud": f"{BASE}/"},
        {"aud": [BASE, "https://other.test/fhir"]},
        {"aud": []},
        {"aud": {}},
        {"aud": 7},
        {"sub": ""},
        {"sub": "  "},
        {"sub": 7},
        {"sub": "x" * 1025},
        {"jti": 7},
        {"jti": {}},
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": str(NOW + 900)},
        {"exp": True},
        {"exp": -1},
        {"exp": 1 << 64},
        {"exp": [NOW + 900]},
        {"iat": NOW + 6},
        {"iat": "now"},
        {"nbf": NOW + 6},
        {"nbf": "soon"},
        {"scope": ["recovery/companion"]},
        {"fhirUser": ["Practitioner/maya"]},
        {"patient": 7},
        {"patient": ""},
        {"organization": {"reference": "Organization/org-cir"}},
        {"client_id": 7},
        {"purpose_of_use": "treat me"},
        {"purpose_of_use": ["TREAT"]},
        {"medical_personnel": "true"},
        {"medical_personnel": 1},
    ],
    ids=repr,
)
def test_a_claim_that_is_wrong_makes_the_token_invalid(ring: KeyRing, verified: Verified, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        verified(signed(ring.signing(), payload(**changes)))


def test_the_clock_of_an_issuer_may_be_a_little_ahead(ring: KeyRing, verified: Verified) -> None:
    assert verified(signed(ring.signing(), payload(iat=NOW + 5, nbf=NOW + 5)))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": ""},
        {"alg": None},
        {"alg": 7},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": "es256"},
        {"kid": None},
        {"kid": ""},
        {"kid": "other"},
        {"kid": "../../../../dev/null"},
        {"kid": "es256-1"},
        {"kid": "x' OR '1'='1"},
        {"kid": ["a"]},
        {"kid": {}},
        {"typ": "JWT"},
        {"typ": None},
        {"typ": 7},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
    ],
    ids=repr,
)
def test_a_header_that_is_wrong_makes_the_token_invalid(ring: KeyRing, verified: Verified, header: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        verified(signed(ring.signing(), payload(), **header))


def test_a_token_without_a_signature_is_refused(ring: KeyRing, verified: Verified) -> None:
    opened = signed(ring.signing(), payload()).rpartition(".")[0]
    none = f"{encoded({'alg': 'none', 'kid': ring.signing().kid, 'typ': TYPE})}.{encoded(payload())}"
    for token in (opened, f"{opened}.", f"{none}.", none, f"{none}.AA"):
        with pytest.raises(Unauthorized):
            verified(token)


def test_the_public_key_is_no_secret_to_sign_with(ring: KeyRing, verified: Verified) -> None:
    key = ring.signing()
    public = jwk.construct(dict(key.public), "ES256")
    for secret in (public.to_pem(), json.dumps(key.public).encode(), key.public["x"].encode(), key.kid.encode(), b""):
        with pytest.raises(Unauthorized):
            verified(hmac_signed(secret, key.kid))


def foreign_key() -> SigningKey:
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = jwk.construct(pem, "ES256")
    return SigningKey("foreign", "ES256", 1, key, key.public_key().to_dict())


def test_a_key_that_the_token_brings_along_is_not_looked_at(ring: KeyRing, verified: Verified) -> None:
    theirs = foreign_key()
    for header in (
        {"jwk": dict(theirs.public)},
        {"jku": "https://evil.test/jwks.json"},
        {"x5u": "https://evil.test/cert.pem"},
        {"x5c": ["AAAA"]},
    ):
        for kid in (ring.signing().kid, theirs.kid):
            with pytest.raises(Unauthorized):
                verified(signed(theirs, payload(), kid=kid, **header))
        assert verified(signed(ring.signing(), payload(), **header))


def test_a_changed_token_is_refused(ring: KeyRing, verified: Verified) -> None:
    head, body, signature = signed(ring.signing(), payload()).split(".")
    widened = encoded(payload(scope="recovery/admin user/*.cruds"))
    for token in (
        f"{head}.{widened}.{signature}",
        f"{head}.{body}.{signature[:-4]}",
        f"{head}.{body}.{signature}=",
        f"{head}.{body}.{signature}!",
        f"{head}.{body}.{signature}.x",
        f" {head}.{body}.{signature}",
        f"{head}.{body}.{signature}\n",
        f"{head}.{body}.{encoded(bytes(64))}",
        f"{head}.{body}.{encoded(b'')}",
        f"{head}..{signature}",
        f"..{signature}",
        "",
        "x",
        "é.é.é",
        "\ud800.a.b",
    ):
        with pytest.raises(Unauthorized):
            verified(token)


def test_a_claim_that_stands_twice_makes_the_token_invalid(ring: KeyRing, verified: Verified) -> None:
    twice = json.dumps(payload()).removesuffix("}").encode() + b', "scope": "recovery/admin user/*.cruds"}'
    with pytest.raises(Unauthorized):
        verified(signed(ring.signing(), twice))


@pytest.mark.parametrize("data", [b"[]", b"7", b"null", b"{", b"\xff", b'{"exp": NaN}', b"{" + b'"a":[' * 99_999, b'"text"'], ids=repr)
def test_a_payload_that_is_no_object_makes_the_token_invalid(ring: KeyRing, verified: Verified, data: bytes) -> None:
    with pytest.raises(Unauthorized):
        verified(signed(ring.signing(), data))


def test_a_huge_token_is_not_even_read(ring: KeyRing, verified: Verified) -> None:
    long = signed(ring.signing(), payload(scope="recovery/companion " + "x" * 5000))
    assert len(long) < LONGEST
    assert verified(long)
    with pytest.raises(Unauthorized):
        verified(signed(ring.signing(), payload(scope="recovery/companion " + "x" * 10_000)))
    with pytest.raises(Unauthorized):
        verified("a" * 50_000_000)


def test_every_refusal_looks_the_same(ring: KeyRing, verified: Verified) -> None:
    refusals: set[tuple[Any, ...]] = set()
    for token in ("", "x", signed(ring.signing(), payload(exp=NOW)), signed(foreign_key(), payload()), hmac_signed(b"", "x")):
        with pytest.raises(Unauthorized) as refusal:
            verified(token)
        refusals.add((refusal.value.issues, refusal.value.__cause__, refusal.value.__suppress_context__))
    assert len(refusals) == 1


def test_a_token_that_an_older_key_signed_is_still_taken(ring: KeyRing, tokens: Tokens, verified: Verified) -> None:
    old = tokens.mint(MAYA, 60)
    first = ring.signing()
    second = ring.rotate()
    assert ring.signing() == second != first
    assert jws.get_unverified_header(tokens.mint(MAYA, 60))["kid"] == second.kid
    assert verified(old)


def test_a_key_that_another_process_made_is_found(ring: KeyRing, tokens: Tokens, clock: Clock) -> None:
    other = Tokens(KeyRing(ring.folder), PUBLIC_URL, clock)
    assert asyncio.run(other.verify(tokens.mint(MAYA, 60)))
    ring.rotate()
    assert asyncio.run(other.verify(tokens.mint(MAYA, 60)))
