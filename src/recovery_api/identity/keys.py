"""The server's own keys: files in the data folder that are made at first use, readable by their owner only.

A signing key is a private JWK (RFC 7517). `es256-1.jwk` is the first of its algorithm, `es256-2.jwk` the next one: the
newest signs, all of them verify. Files are linked into place, so two processes that start at once end up with one key.
"""

import hashlib
import json
import os
import re
import secrets
import tempfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from jose import jwk
from jose.backends.base import Key
from jose.exceptions import JOSEError

from recovery_api.fhir.json import JsonObject

PUBLIC_MEMBERS = ("kty", "kid", "alg", "use", "crv", "x", "y", "n", "e")
MOST_KEYS = 100
SHORTEST_RSA = 2048

Algorithms: TypeAlias = Mapping[tuple[str, str], tuple[str, ...]]
"""By kind of key and curve, the algorithms that it may be for; the first, where the key does not say."""
ISSUER_ALGORITHMS: Algorithms = {("RSA", ""): ("RS256",), ("EC", "P-256"): ("ES256",), ("EC", "P-384"): ("ES384",)}
CLIENT_ALGORITHMS: Algorithms = ISSUER_ALGORITHMS | {("RSA", ""): ("RS384", "RS256")}
"""SMART's asymmetric client authentication: RS384 and ES384."""

_THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}

_GENERATORS: Mapping[str, Callable[[], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]] = {
    "ES256": partial(ec.generate_private_key, ec.SECP256R1()),
    "RS256": partial(rsa.generate_private_key, public_exponent=65537, key_size=2048),
}
_FILE = re.compile(r"(?P<algorithm>es256|rs256)-(?P<generation>[1-9]\d{0,8})\.jwk")


class VerificationKey(NamedTuple):
    """A public key and the one algorithm that it verifies."""

    kid: str
    algorithm: str
    key: Key


class SigningKey(NamedTuple):
    """A private key, the one algorithm that it signs with, and its public JWK. `generation` counts up from 1."""

    kid: str
    algorithm: str
    generation: int
    key: Key
    public: Mapping[str, str]


class KeyRing:
    """The keys of the data folder, read once and again when the folder changed."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where the keys are (`DATA_DIR/keys`); it is made, for its owner only, if it is not there."""
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._changed = 0
        self._signing: tuple[SigningKey, ...] = ()
        self._verifying: Mapping[str, VerificationKey] = {}
        self._read()

    def signing(self, algorithm: str = "ES256") -> SigningKey:
        """The newest key of the algorithm (ES256 or RS256), made now if there is none."""
        self._read_again()
        return self._newest(algorithm) or self._made(algorithm, 1)

    def rotate(self, algorithm: str = "ES256") -> SigningKey:
        """A new key that signs from now on; older ones still verify. Where another process rotated already, its key is taken."""
        return self._made(algorithm, self.signing(algorithm).generation + 1)

    def find(self, kid: str) -> VerificationKey | None:
        """The key that verifies what `kid` signed. One that another process has made since is found too."""
        if kid not in self._verifying:
            self._read_again()
        return self._verifying.get(kid)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK Set (RFC 7517, section 5), newest first."""
        self._read_again()
        return {"keys": [dict(key.public) for key in self._signing]}

    def secret(self, name: str) -> bytes:
        """32 random bytes that stay the same under this name, made now if they are not there."""
        path = self.folder / f"{name}.secret"
        if not path.exists():
            _keep(path, secrets.token_bytes(32))
        return path.read_bytes()

    def _newest(self, algorithm: str) -> SigningKey | None:
        return next((key for key in self._signing if key.algorithm == algorithm), None)

    def _made(self, algorithm: str, generation: int) -> SigningKey:
        _keep(self.folder / f"{algorithm.lower()}-{generation}.jwk", json.dumps(_generated(algorithm)).encode())
        self._read()
        return next(key for key in self._signing if key.algorithm == algorithm)

    def _read_again(self) -> None:
        """Read the folder where another process has changed it."""
        if self.folder.stat().st_mtime_ns != self._changed:
            self._read()

    def _read(self) -> None:
        self._changed = self.folder.stat().st_mtime_ns
        files = ((path, _FILE.fullmatch(path.name)) for path in self.folder.iterdir())
        keys = [_signing_key(path.read_bytes(), int(file["generation"])) for path, file in files if file]
        self._signing = tuple(sorted(keys, key=lambda key: (key.algorithm, -key.generation)))
        self._verifying = {key.kid: VerificationKey(key.kid, key.algorithm, key.key.public_key()) for key in keys}


class Sealer:
    """Makes what clients carry for us (page links) unreadable, tamper-proof and bound to one caller, by AES-SIV (RFC 5297).

    Equal contents for the same caller are sealed alike, so answers stay the same byte for byte.
    """

    def __init__(self, secret: bytes) -> None:
        """`secret` is 32 random bytes, of this purpose alone."""
        self._cipher = AESSIV(secret)

    def seal(self, content: bytes, whose: bytes) -> str:
        """The content as a text that needs no escape in an address."""
        return urlsafe_b64encode(self._cipher.encrypt(content, [whose])).rstrip(b"=").decode()

    def unseal(self, sealed: str, whose: bytes) -> bytes | None:
        """The content; None for what we did not seal, or sealed for somebody else."""
        try:
            return self._cipher.decrypt(urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)), [whose])
        except (InvalidTag, ValueError):
            return None


def verification_keys(jwks: JsonObject, algorithms: Algorithms = ISSUER_ALGORITHMS) -> tuple[VerificationKey, ...]:
    """The keys of somebody's JWK Set that we verify with: RSA of 2,048 bits or more and EC, for these algorithms, meant for signatures.

    Others, secrets among them, are passed over. Raises ValueError where there is no list of keys.
    """
    entries = jwks.get("keys")
    if not isinstance(entries, list) or len(cast(list[object], entries)) > MOST_KEYS:
        raise ValueError("no list of keys")
    return tuple(key for entry in cast(list[object], entries) if (key := _verification_key(entry, algorithms)))


def thumbprint(key: Mapping[str, str]) -> str:
    """The JWK's SHA-256 thumbprint (RFC 7638), which names our keys."""
    members = {name: key[name] for name in _THUMBPRINT_MEMBERS[key["kty"]]}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _verification_key(entry: object, algorithms: Algorithms) -> VerificationKey | None:
    if not isinstance(entry, dict):
        return None
    public = {name: value for name, value in cast(JsonObject, entry).items() if name in PUBLIC_MEMBERS and isinstance(value, str)}
    known = algorithms.get((public.get("kty", ""), public.get("crv", "")), ())
    algorithm = public.get("alg", known[0] if known else "")
    if algorithm not in known or public.get("use", "sig") != "sig":
        return None
    if public["kty"] == "RSA" and _bits(public.get("n", "")) < SHORTEST_RSA:
        return None
    try:
        key = jwk.construct(public, algorithm)
    except (JOSEError, ValueError, TypeError, KeyError):
        return None
    return VerificationKey(public.get("kid", ""), algorithm, key)


def _bits(number: str) -> int:
    try:
        return int.from_bytes(urlsafe_b64decode(number + "=" * (-len(number) % 4))).bit_length()
    except ValueError:
        return 0


def _generated(algorithm: str) -> dict[str, str]:
    key = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in jwk.construct(_pem(algorithm), algorithm).to_dict().items()
    }
    return key | {"kid": thumbprint(key), "use": "sig"}


def _pem(algorithm: str) -> bytes:
    return _GENERATORS[algorithm]().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _signing_key(data: bytes, generation: int) -> SigningKey:
    private = json.loads(data)
    public = {name: private[name] for name in PUBLIC_MEMBERS if name in private}
    return SigningKey(private["kid"], private["alg"], generation, jwk.construct(private, private["alg"]), public)


def _keep(path: Path, data: bytes) -> None:
    """Put the whole file in place at once, for its owner only; one that is there already stays."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".draft")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        Path(draft).unlink()
