"""Systems that get tokens with a key of their own (checklist F), and what a forged proof comes to."""

import secrets
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwk, jws

from recovery_api.fhir.json import dump
from recovery_api.identity.keys import PUBLIC_MEMBERS, SigningKey, thumbprint
from tests.api import Api, serving
from tests.databases import Databases
from tests.identity.provider import serving as publishing
from tests.oauth.apps import ASSERTION, TOKEN_URL, Register, Smart, registered, types

SCOPE = "system/*.rs"
EHR = {"role": "ehr", "organization": "org-riverbend"}


def made(algorithm: str, **more: str) -> SigningKey:
    """A key for an algorithm, whose JWK says more."""
    curve = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}.get(algorithm)
    raw = ec.generate_private_key(curve()) if curve else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = raw.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = jwk.construct(pem, algorithm)
    said = {name: value.decode() if isinstance(value, bytes) else value for name, value in key.public_key().to_dict().items()}
    public = {name: value for name, value in said.items() if name in PUBLIC_MEMBERS} | {"alg": algorithm} | more
    return SigningKey(thumbprint(public), algorithm, 1, key, public | {"kid": thumbprint(public)})


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return made("RS384")


@pytest.fixture
async def system(shared: Api, register: Register, key: SigningKey) -> Smart:
    return await register(shared, "backend", key=key, **EHR)


async def asked(app: Smart, scope: str = SCOPE, **more: str) -> Any:
    return await app.token(grant_type="client_credentials", scope=scope, **more)


@pytest.mark.parametrize("algorithm", ["RS384", "ES384", "RS256", "ES256"])
async def test_a_backend_gets_a_token_with_its_key(shared: Api, register: Register, algorithm: str) -> None:  # F04-F06
    app = await register(shared, "backend", key=made(algorithm), **EHR)
    answer = await asked(app)
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["cache-control"]
    said = answer.json()
    assert said["token_type"].lower() == "bearer"
    assert 0 < said["expires_in"] <= 300
    assert said["scope"].startswith("recovery/ehr system/")
    assert "refresh_token" not in said
    assert (await app.fhir(said["access_token"]).get("Patient/ana")).status == 200
    assert (await app.fhir(said["access_token"]).get("Patient/eve")).status == 404


@pytest.mark.parametrize(
    ("role", "organization", "own"), [("ehr", "org-riverbend", "Group"), ("referrer", "org-lakeside", "ServiceRequest")]
)
async def test_a_wildcard_is_narrowed_to_what_the_role_may_ever_do(  # E45
    shared: Api, register: Register, key: SigningKey, role: str, organization: str, own: str
) -> None:
    app = await register(shared, "backend", key=key, role=role, organization=organization)
    granted = types((await asked(app, "system/*.cruds")).json()["scope"])
    assert own in granted
    assert not granted & {"*", "AuditEvent", "Flag" if role == "referrer" else "AuditEvent"}
    assert granted == {type_ for type_, may in shared.running.server.matrix.granted(role).items() if may}


async def test_a_backend_gets_no_more_than_it_was_registered_for(shared: Api, register: Register, key: SigningKey) -> None:  # E45
    app = await register(shared, "backend", key=key, scope="system/Patient.rs system/Observation.rs", **EHR)
    said = (await asked(app)).json()
    assert types(said["scope"]) == {"Patient", "Observation"}
    assert (await app.fhir(said["access_token"]).get("Condition?patient=ana")).status == 403
    refused = await asked(app, "system/Condition.rs")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("params", "statuses"),
    [
        ({"grant_type": "not_a_grant_type"}, {400}),  # F01
        ({"client_assertion_type": "not_an_assertion_type"}, {401}),  # F02
        ({"client_assertion": "not.a.jwt"}, {401}),  # F03
        ({"client_assertion": "x"}, {401}),
        ({"scope": ""}, {400}),
        ({"scope": "user/Patient.rs"}, {400}),
        ({"scope": "recovery/case-manager system/Patient.rs"}, {400}),
        ({"scope": "recovery/referrer system/Patient.rs"}, {400}),
        ({"client_id": "another"}, {401}),
        ({"client_secret": "x"}, {400}),
        ({"grant_type": "authorization_code", "code": "x", "redirect_uri": "https://x.example"}, {400}),
        ({"grant_type": ""}, {400}),
    ],
    ids=str,
)
async def test_a_request_that_is_not_right_is_refused(system: Smart, params: dict[str, str], statuses: set[int]) -> None:
    sent = {"grant_type": "client_credentials", "scope": SCOPE, "client_assertion": system.assertion(), "client_assertion_type": ASSERTION}
    answer = await system.http.post("/oauth/token", data=sent | params)
    assert answer.status_code in statuses
    assert set(answer.json()) == {"error", "error_description"}
    assert "no-store" in answer.headers["cache-control"]


async def test_a_body_that_is_no_form_is_refused(system: Smart) -> None:
    sent = {"grant_type": "client_credentials", "scope": SCOPE}
    assert (await system.http.post("/oauth/token", json=sent)).status_code == 400
    assert (await system.http.post("/oauth/token", data=sent | {"scope": "x" * 70_000})).status_code == 400
    twice = f"grant_type=client_credentials&scope=a&scope=b&client_assertion_type={ASSERTION}&client_assertion={system.assertion()}"
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await system.http.post("/oauth/token", content=twice, headers=form)).status_code == 400
    assert (await system.http.get("/oauth/token")).status_code == 405


async def test_an_assertion_is_taken_once_in_every_process(
    databases: Databases, people_template: str, tmp_path: Path, key: SigningKey
) -> None:  # F07
    url = databases.clone(people_template)
    async with serving(url, tmp_path) as one, serving(url, tmp_path) as other:
        app = await registered(one, "backend", key=key, **EHR)
        async with app.http:
            sent = {"grant_type": "client_credentials", "scope": SCOPE, "client_assertion": app.assertion()}
            sent["client_assertion_type"] = ASSERTION
            assert (await app.http.post("/oauth/token", data=sent)).status_code == 200
            assert (await app.http.post("/oauth/token", data=sent)).status_code == 401
        assert (await other.http.post("http://127.0.0.1:8000/oauth/token", data=sent)).status_code == 401
    databases.drop(url)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 600},
        {"exp": 0},
        {"exp": -1},
        {"exp": None},
        {"nbf": 60},
        {"iat": 60},
        {"aud": "https://elsewhere.example/token"},
        {"aud": "http://127.0.0.1:8000/fhir"},
        {"aud": [TOKEN_URL, "https://elsewhere.example/token"]},
        {"aud": None},
        {"iss": "another"},
        {"sub": "another"},
        {"iss": None},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
    ],
    ids=str,
)
async def test_an_assertion_says_exactly_what_it_must(system: Smart, changes: dict[str, Any]) -> None:  # F08
    now = system.api.clock() // 1_000_000
    said = {name: now + value if name in {"exp", "nbf", "iat"} and value is not None else value for name, value in changes.items()}
    answer = await asked(system, client_assertion=system.assertion(**said), client_assertion_type=ASSERTION)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert (await asked(system)).status_code == 200


async def test_a_signature_is_by_a_registered_key_in_its_own_algorithm(system: Smart, key: SigningKey) -> None:  # F03, F08
    good = system.assertion()
    header, payload, signature = good.split(".")
    claims = {"iss": system.name, "sub": system.name, "aud": TOKEN_URL, "exp": system.api.clock() // 1_000_000 + 60}
    foreign = made("RS384")
    pem = key.key.public_key().to_pem()

    def signed(key_: Any, algorithm: str, **headers: Any) -> str:
        return jws.sign(claims | {"jti": secrets.token_hex(8)}, key_, headers={"kid": key.kid, **headers}, algorithm=algorithm)

    none = urlsafe_b64encode(dump({"alg": "none", "kid": key.kid})).rstrip(b"=").decode()
    by_public_key = jwk.construct(pem.decode().replace("-----", "").strip().encode(), "HS256")
    forged = {
        "bad signature": f"{header}.{payload}.{signature[:-6]}AAAAAA",
        "none": f"{none}.{payload}.",
        "none, signed": f"{none}.{payload}.{signature}",
        "HS256 by the public key": signed(by_public_key, "HS256"),
        "another algorithm of the key": signed(jwk.construct(key.key.to_pem(), "RS256"), "RS256"),
        "unknown kid": signed(key.key, key.algorithm, kid="unknown"),
        "kid of a path": signed(key.key, key.algorithm, kid="../../etc/passwd"),
        "a key brought along": signed(foreign.key, "RS384", jwk=dict(foreign.public)),
        "an address brought along": signed(foreign.key, "RS384", jku="https://evil.example/jwks.json"),
        "critical": signed(key.key, key.algorithm, crit=["exp"]),
    }
    for name, assertion in forged.items():
        answer = await asked(system, client_assertion=assertion, client_assertion_type=ASSERTION)
        assert answer.status_code == 401, name
    assert (await asked(system, client_assertion=good, client_assertion_type=ASSERTION)).status_code == 200


async def test_keys_at_an_address_are_fetched_again_when_their_time_is_over_and_when_one_is_new(
    databases: Databases, people_template: str, tmp_path: Path, key: SigningKey
) -> None:  # F09
    with publishing() as provider:
        address = provider.answer("/jwks.json", {"keys": [dict(key.public)]}, Cache_Control="max-age=120")
        url = databases.clone(people_template)
        async with serving(url, tmp_path, ALLOWED_PRIVATE_ENDPOINTS=provider.origin) as api:
            app = await registered(api, "backend", key=key, jwks_uri=address, **EHR)
            async with app.http:
                for _ in range(3):
                    assert (await asked(app)).status_code == 200
                assert len(provider.asked) == 1
                api.clock.move(seconds=60)
                app.key = made("ES384")
                assert (await asked(app)).status_code == 401
                provider.answer("/jwks.json", {"keys": [dict(app.key.public)]})
                api.clock.move(seconds=60)
                assert (await asked(app)).status_code == 200
                app.key = key
                assert (await asked(app)).status_code == 401
        databases.drop(url)


async def test_an_address_that_is_private_is_not_called(shared: Api, register: Register, key: SigningKey) -> None:
    with publishing() as provider:
        address = provider.answer("/jwks.json", {"keys": [dict(key.public)]})
        app = await register(shared, "backend", key=key, jwks_uri=address, **EHR)
        assert (await asked(app)).status_code == 401
        assert provider.asked == []


async def test_a_system_ends_its_own_token(system: Smart) -> None:
    token = (await asked(system)).json()["access_token"]
    assert (await system.post("introspect", token=token)).json()["active"] is True
    assert (await system.post("revoke", token=token)).status_code == 200
    assert (await system.fhir(token).get("Patient/ana")).status == 401
    assert (await system.post("introspect", token=token)).json() == {"active": False}


async def test_people_are_not_let_in_by_a_backend(system: Smart) -> None:
    answer = await system.http.get("/oauth/authorize", params={"client_id": system.name, "response_type": "code"})
    assert answer.status_code == 400
