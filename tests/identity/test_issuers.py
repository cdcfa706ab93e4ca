import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jws

from recovery_api.fhir.errors import Unauthorized
from recovery_api.identity.actor import Actor, actor
from recovery_api.identity.endpoints import Endpoints
from recovery_api.identity.issuers import Issuers
from recovery_api.identity.keys import KeyRing
from recovery_api.identity.published_keys import PAUSE, SHORTEST_KEPT, USUALLY_KEPT
from recovery_api.identity.tokens import TYPE, Tokens
from recovery_api.settings import TrustedIssuer
from tests.identity.conftest import BASE, PUBLIC_URL, T0, Clock
from tests.identity.provider import Provider, serving

NOW = T0 // 1_000_000
GROUPS = {"role": "groups", "fhirUser": "fhir", "organization": "org"}
ROLES = {"staff-cm": "case-manager", "lead-cm": "case-manager", "staff-companion": "companion"}


class Foreign(NamedTuple):
    """The provider, its keys, and our server that trusts it."""

    provider: Provider
    ring: KeyRing
    clock: Clock
    tokens: Tokens

    def token(self, key: Any = None, **changes: Any) -> str:
        claims = {
            "iss": self.provider.origin, "aud": ["account", "recovery"], "sub": "u-7", "jti": "x", "iat": NOW, "exp": NOW + 99_999,
            "groups": ["staff-cm", "everybody"], "fhir": "Practitioner/ruth", "org": "org-cir",
        } | changes  # fmt: skip
        key = key or self.ring.signing("RS256")
        payload = {name: value for name, value in claims.items() if value is not None}
        return jws.sign(payload, key.key, headers={"kid": key.kid}, algorithm=key.algorithm)

    def caller(self, token: str) -> Actor:
        return actor(asyncio.run(self.tokens.verify(token)), BASE)

    def refuses(self, token: str) -> bool:
        with pytest.raises(Unauthorized):
            self.caller(token)
        return True

    def asked(self, path: str) -> int:
        return [asked for asked, _ in self.provider.asked].count(path)


def all_scopes(role: str) -> str:
    return f"recovery/{role} user/Patient.rs"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture(scope="module")
def rsa_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an RS256 key, which takes long to make."""
    folder = tmp_path_factory.mktemp("rsa")
    KeyRing(folder).signing("RS256")
    return folder / "rs256-1.jwk"


def made(running: Provider, ring: KeyRing, clock: Clock, folder: Path, *allowed: str, jwks_uri: str | None = None) -> Foreign:
    running.asked.clear()
    running.answers.clear()
    trusted = TrustedIssuer(running.origin, "recovery", jwks_uri, GROUPS, ROLES)
    issuers = Issuers([trusted], Endpoints(allowed), clock, all_scopes)
    return Foreign(running, KeyRing(folder / "foreign"), clock, Tokens(ring, PUBLIC_URL, clock, issuers))


def placed(rsa_key: Path, folder: Path) -> None:
    (folder / "foreign").mkdir()
    shutil.copy(rsa_key, folder / "foreign")


@pytest.fixture
def foreign(running: Provider, ring: KeyRing, clock: Clock, tmp_path: Path, rsa_key: Path) -> Foreign:
    placed(rsa_key, tmp_path)
    foreign = made(running, ring, clock, tmp_path, running.origin)
    running.answer("/.well-known/openid-configuration", {"issuer": running.origin, "jwks_uri": f"{running.origin}/keys"})
    running.answer("/keys", foreign.ring.jwks())
    return foreign


def test_a_token_of_a_trusted_issuer_is_taken_by_its_claims(foreign: Foreign) -> None:
    ruth = foreign.caller(foreign.token())
    assert (ruth.role, ruth.holder, ruth.organization) == ("case-manager", "Practitioner/ruth", "Organization/org-cir")
    assert ruth.allows("Patient", "r")
    assert not ruth.allows("Patient", "u")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_keys_of_each_algorithm_verify(foreign: Foreign, algorithm: str) -> None:
    key = foreign.ring.signing(algorithm)
    foreign.provider.answer("/keys", foreign.ring.jwks())
    assert foreign.caller(foreign.token(key)).role == "case-manager"


def test_es384_verifies(foreign: Foreign) -> None:
    secret = ec.generate_private_key(ec.SECP384R1())
    pem = secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = jwk.construct(pem, "ES384")
    foreign.provider.answer("/keys", {"keys": [key.public_key().to_dict() | {"kid": "p384"}]})
    token = foreign.token()
    opened = jws.sign({"iss": foreign.provider.origin} | jws_claims(token), key, headers={"kid": "p384"}, algorithm="ES384")
    assert foreign.caller(opened).role == "case-manager"


def jws_claims(token: str) -> dict[str, Any]:
    return json.loads(jws.get_unverified_claims(token))


def test_a_key_without_a_name_is_found_where_it_is_the_only_one(foreign: Foreign) -> None:
    key = foreign.ring.signing("RS256")
    token = jws.sign(jws_claims(foreign.token()), key.key, algorithm="RS256")
    assert foreign.caller(token).role == "case-manager"
    foreign.provider.answer("/keys", {"keys": [*foreign.ring.jwks()["keys"], dict(key.public) | {"kid": "other"}]})
    foreign.clock.move(USUALLY_KEPT)
    assert foreign.refuses(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.test"},
        {"iss": None},
        {"aud": "account"},
        {"aud": None},
        {"sub": None},
        {"jti": None},
        {"iat": None},
        {"exp": None},
        {"exp": NOW},
        {"nbf": NOW + 60},
        {"groups": None},
        {"groups": ["everybody"]},
        {"groups": ["staff-cm", "staff-companion"]},
        {"groups": {"staff-cm": True}},
        {"groups": None, "role": "case-manager"},
        {"groups": "case-manager"},
        {"fhir": None},
        {"fhir": None, "fhirUser": "Practitioner/ruth"},
        {"fhir": "https://other.test/fhir/Practitioner/ruth"},
        {"fhir": "Patient/ana"},
        {"org": 7},
    ],
    ids=repr,
)
def test_a_token_that_says_too_little_or_too_much_is_refused(foreign: Foreign, changes: dict[str, Any]) -> None:
    assert foreign.refuses(foreign.token(**changes))


def test_two_words_for_one_role_are_one_role(foreign: Foreign) -> None:
    assert foreign.caller(foreign.token(groups=["staff-cm", "lead-cm"])).role == "case-manager"


@pytest.mark.parametrize("scope", ["openid user/Observation.rs recovery/admin", ["openid", "user/Observation.rs", "recovery/admin"]])
def test_its_resource_scopes_count_and_its_role_scopes_do_not(foreign: Foreign, scope: Any) -> None:
    ruth = foreign.caller(foreign.token(scope=scope))
    assert ruth.role == "case-manager"
    assert ruth.allows("Observation", "r")
    assert not ruth.allows("Patient", "r")


def test_a_foreign_key_does_not_sign_for_us_nor_ours_for_them(foreign: Foreign, ring: KeyRing) -> None:
    theirs = foreign.ring.signing("RS256")
    own = jws_claims(foreign.token()) | {"iss": PUBLIC_URL, "aud": BASE, "scope": "recovery/admin"}
    assert foreign.refuses(jws.sign(own, theirs.key, headers={"kid": theirs.kid, "typ": TYPE}, algorithm="RS256"))
    assert foreign.refuses(foreign.token(ring.signing()))


def test_a_token_that_says_another_algorithm_than_its_key_is_refused(foreign: Foreign) -> None:
    key = foreign.ring.signing("RS256")
    public = jwk.construct(dict(key.public), "RS256").to_pem()
    claims = jws_claims(foreign.token())
    forged = [
        jws.sign(claims, key.key, headers={"kid": key.kid, "alg": algorithm}, algorithm="RS256")
        for algorithm in ("none", "ES256", "RS512", "HS256")
    ]
    hmac_key = jwk.construct(public.replace(b"PUBLIC KEY", b"PUBLIC-KEY"), "HS256")
    forged.append(jws.sign(claims, hmac_key, headers={"kid": key.kid}, algorithm="HS256"))
    assert all(foreign.refuses(token) for token in forged)


def test_keys_are_fetched_once_for_all_that_ask_at_once(foreign: Foreign) -> None:
    token = foreign.token()

    async def many() -> None:
        await asyncio.gather(*(foreign.tokens.verify(token) for _ in range(20)))

    asyncio.run(many())
    assert foreign.asked("/keys") == 1


@pytest.mark.parametrize(
    ("said", "kept"), [({}, USUALLY_KEPT), ({"Cache_Control": "max-age=600"}, 600), ({"Cache_Control": "no-store"}, SHORTEST_KEPT)]
)
def test_keys_are_kept_as_long_as_their_sender_says(foreign: Foreign, said: dict[str, Any], kept: int) -> None:
    foreign.provider.answer("/keys", foreign.ring.jwks(), **said)
    token = foreign.token()
    foreign.caller(token)
    foreign.clock.move(kept - 1)
    foreign.caller(token)
    assert foreign.asked("/keys") == 1
    foreign.clock.move(1)
    foreign.caller(token)
    assert foreign.asked("/keys") == 2


def test_a_key_that_was_withdrawn_verifies_no_more(foreign: Foreign) -> None:
    token = foreign.token()
    foreign.caller(token)
    foreign.provider.answer("/keys", {"keys": []})
    foreign.clock.move(USUALLY_KEPT)
    assert foreign.refuses(token)


def test_keys_that_cannot_be_fetched_again_end_when_their_time_is_over(foreign: Foreign) -> None:
    token = foreign.token()
    foreign.caller(token)
    foreign.provider.answer("/keys", b"", 500)
    foreign.clock.move(USUALLY_KEPT)
    assert foreign.refuses(token)
    foreign.provider.answer("/keys", foreign.ring.jwks())
    assert foreign.refuses(token)
    foreign.clock.move(PAUSE)
    assert foreign.caller(token)


def test_a_new_key_is_fetched_when_it_is_first_used_but_not_at_every_unknown_name(foreign: Foreign) -> None:
    foreign.caller(foreign.token())
    new = foreign.ring.rotate("RS256")
    assert foreign.refuses(foreign.token(new))
    foreign.clock.move(PAUSE)
    foreign.provider.answer("/keys", foreign.ring.jwks())
    assert foreign.caller(foreign.token(new))
    for name in range(20):
        assert foreign.refuses(foreign.token(new._replace(kid=f"unknown-{name}")))
    assert foreign.asked("/keys") == 2


def test_discovery_that_speaks_of_another_issuer_is_refused(foreign: Foreign) -> None:
    foreign.provider.answer(
        "/.well-known/openid-configuration", {"issuer": "https://evil.test", "jwks_uri": f"{foreign.provider.origin}/keys"}
    )
    assert foreign.refuses(foreign.token())
    assert foreign.asked("/keys") == 0


def test_a_named_jwks_uri_needs_no_discovery(running: Provider, ring: KeyRing, clock: Clock, tmp_path: Path, rsa_key: Path) -> None:
    placed(rsa_key, tmp_path)
    foreign = made(running, ring, clock, tmp_path, f"{running.origin}/jwks", jwks_uri=f"{running.origin}/jwks")
    running.answer("/jwks", foreign.ring.jwks())
    assert foreign.caller(foreign.token()).role == "case-manager"
    assert [path for path, _ in running.asked] == ["/jwks"]


def test_a_private_issuer_that_is_not_allowed_is_not_called(
    running: Provider, ring: KeyRing, clock: Clock, tmp_path: Path, rsa_key: Path
) -> None:
    placed(rsa_key, tmp_path)
    foreign = made(running, ring, clock, tmp_path)
    assert foreign.refuses(foreign.token())
    assert running.asked == []


def test_a_setting_that_maps_to_no_role_of_ours_is_refused(clock: Clock) -> None:
    trusted = TrustedIssuer("https://idp.test", "recovery", None, {}, {"x": "nurse"})
    with pytest.raises(ValueError, match=r"RECOVERY_TRUSTED_ISSUERS .*nurse"):
        Issuers([trusted], Endpoints(), clock, all_scopes)


def test_without_trusted_issuers_no_other_issuer_is_taken(verified: Callable[[str], object], foreign: Foreign) -> None:
    with pytest.raises(Unauthorized):
        verified(foreign.token())
