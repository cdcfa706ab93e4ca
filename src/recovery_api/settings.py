"""One frozen Settings, from the environment (prefix RECOVERY_) or a `.env` file; the environment wins.

What stands in SETTINGS is every setting there is: the reference page is generated from it. A name that is not in it, or a
value that a setting can't take, stops the start with one line that names it and never shows the value of a secret.
"""

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

PREFIX = "RECOVERY_"


class SettingsError(Exception):
    """The settings can't be used; the message is one line that names the setting."""


@dataclass(frozen=True)
class TrustedIssuer:
    """An external OpenID provider whose tokens are taken.

    `claims` maps ours (role, fhirUser, organization) to its claims; `roles` maps its words for a role to ours.
    Without `jwks_uri` the address of its keys is discovered.
    """

    issuer: str
    audience: str
    jwks_uri: str | None
    claims: Mapping[str, str]
    roles: Mapping[str, str]


@dataclass(frozen=True)
class Settings:
    """What an operator may set. Paths are absolute, addresses have no slash at the end, times are in seconds."""

    database_url: str = field(repr=False)
    data_dir: Path
    public_url: str
    trusted_issuers: tuple[TrustedIssuer, ...]
    allowed_private_endpoints: tuple[str, ...]
    embedded_worker: bool
    time_zone: ZoneInfo
    token_ttl: int
    require_totp: bool
    notice_file: str | None
    """The wording of the redisclosure notice; None: the one that is built in."""
    emergency_access_ttl: int
    goals_per_week: int
    on_call: str | None
    """Who is asked when nobody else is there to act on an escalation: "Practitioner/id"."""
    holidays: frozenset[date]
    note_review_hours: int
    companion_grace_days: int
    supervision_cadence_days: int
    consent_expiry_days: int
    age_of_majority: int
    minor_consent_age: int
    export_store: str
    """A folder's path, or s3://bucket/prefix."""
    export_ttl: int
    exports_at_once: int
    import_folder: Path | None

    @property
    def fhir_base(self) -> str:
        """The FHIR base that clients see, which is the audience of access tokens."""
        return f"{self.public_url}/fhir"


class Setting(NamedTuple):
    """One setting: its name without the prefix, its default as text, how its text is read, and what it means.

    `read` raises ValueError with the end of a sentence ("must be …"). A secret's value is never shown.
    """

    name: str
    default: str | None
    read: Callable[[str], Any]
    meaning: str
    secret: bool = False


def load(environment: Mapping[str, str], env_file: Path = Path(".env")) -> Settings:
    """The settings in the environment, else in the file (which need not exist), else the defaults.

    Raises SettingsError for an unknown name with the prefix, or a value that can't be taken.
    """
    given = {name: value for name, value in {**_env_file(env_file), **environment}.items() if name.startswith(PREFIX)}
    known = {PREFIX + setting.name: setting for setting in SETTINGS}
    for name in given:
        if name not in known:
            raise SettingsError(f"{name} is not a setting{_nearest(name, known)}")
    values = {setting.name.lower(): _value(name, setting, given.get(name)) for name, setting in known.items()}
    values["export_store"] = values["export_store"] or str(values["data_dir"] / "exports")
    values["database_url"] = values["database_url"] or f"sqlite:///{values['data_dir'] / 'recovery.db'}"
    return Settings(**values)


def _value(name: str, setting: Setting, text: str | None) -> Any:
    text = setting.default if text is None or not text.strip() else text.strip()
    if text is None:
        return None
    try:
        return setting.read(text)
    except ValueError as error:
        raise SettingsError(f"{name} {error}{'.' if setting.secret or '@' in text else f', and is {text[:80]!r}.'}") from None


def _nearest(name: str, known: Mapping[str, Setting]) -> str:
    near = difflib.get_close_matches(name.removeprefix(PREFIX), [setting.name for setting in known.values()], n=1)
    return f"; did you mean {PREFIX}{near[0]}?" if near else f"; there are {', '.join(known)}."


_ASSIGNMENT = re.compile(
    r"""(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<plain>.*?))\s*"""
)


def _env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        assignment = _ASSIGNMENT.fullmatch(line)
        if assignment is None:
            raise SettingsError(f"Line {number} of {path} is not NAME=VALUE.")
        values[assignment["name"]] = next(text for text in assignment.group("single", "double", "plain") if text is not None)
    return values


# How each kind of value is read -----------------------------------------------------------------------------------------


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _database_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {"sqlite", "sqlite+pysqlite", "sqlite+aiosqlite", "postgresql", "postgresql+asyncpg"}:
        raise ValueError("must be an SQLAlchemy URL that begins with sqlite:/// or postgresql+asyncpg://")
    if not scheme.startswith("sqlite"):
        return text
    path, mark, query = rest.removeprefix("/").partition("?")
    if path in {"", ":memory:"}:
        raise ValueError("must name a file: a database in memory would be lost at the end")
    return f"{scheme}:///{Path(path).absolute()}{mark}{query}" if not path.startswith("file:") else text


def _split(text: str) -> SplitResult:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be an address like https://recovery.example.org, without user, query or fragment")
    _ = parts.port  # raises ValueError where it is no number
    return parts


def _address(text: str) -> str:
    _split(text)
    return text.rstrip("/")


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(_address(address.strip()) for address in text.split(",") if address.strip())


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be the IANA name of a time zone, like America/New_York") from None


def _wording(text: str) -> str:
    try:
        said = Path(text).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        raise ValueError("must name a readable file in UTF-8") from None
    if not said:
        raise ValueError("must name a file that is not empty")
    return said


def _store(text: str) -> str:
    if "://" not in text:
        return str(_folder(text))
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?", text):
        raise ValueError("must be a folder, or an address like s3://bucket/prefix")
    return text


def _practitioner(text: str) -> str:
    if not re.fullmatch(r"Practitioner/[A-Za-z0-9.-]{1,64}", text):
        raise ValueError("must be a reference like Practitioner/ruth")
    return text


def _dates(text: str) -> frozenset[date]:
    try:
        return frozenset(date.fromisoformat(day.strip()) for day in text.split(",") if day.strip())
    except ValueError:
        raise ValueError("must be dates like 2026-12-25, with commas between them") from None


def _whole(most: int, unit: str = "seconds") -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
            raise ValueError(f"must be a whole number of {unit} from 1 to {most}")
        return int(text)

    return read


def _years(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise ValueError("must be a whole number of years, below 100")
    return int(text)


def _issuers(text: str) -> tuple[TrustedIssuer, ...]:
    try:
        entries = json.loads(text)
    except ValueError:
        raise ValueError("must be a JSON list of issuers") from None
    if not isinstance(entries, list):
        raise ValueError("must be a JSON list of issuers")  # noqa: TRY004 (a bad value is a ValueError here)
    issuers = tuple(_issuer(entry) for entry in cast(list[object], entries))
    if len({issuer.issuer for issuer in issuers}) != len(issuers):
        raise ValueError("must name each issuer once")
    return issuers


def _issuer(entry: object) -> TrustedIssuer:
    members = _texts(entry, "an issuer")
    if unknown := members.keys() - {"issuer", "audience", "jwks_uri", "claims", "roles"}:
        raise ValueError(f"holds an issuer with the unknown member {min(unknown)!r}")
    needed = _texts({name: members.get(name) for name in ("issuer", "audience")}, "an issuer whose 'issuer' and 'audience'", plain=True)
    issuer, jwks_uri = cast(str, needed["issuer"]), members.get("jwks_uri")
    _split(issuer)
    if jwks_uri is not None:
        _check_jwks_uri(jwks_uri)
    claims, roles = (cast(dict[str, str], _texts(members.get(name, {}), repr(name), plain=True)) for name in ("claims", "roles"))
    if unknown := claims.keys() - {"role", "fhirUser", "organization"}:
        raise ValueError(f"maps the unknown claim {min(unknown)!r}; role, fhirUser and organization can be mapped")
    return TrustedIssuer(issuer, cast(str, needed["audience"]), cast(str | None, jwks_uri), claims, roles)


def _check_jwks_uri(address: object) -> None:
    if not isinstance(address, str) or urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
        raise ValueError("holds an issuer whose 'jwks_uri' is not an address")


def _texts(value: object, what: str, *, plain: bool = False) -> dict[str, object]:
    members = cast(dict[str, object], value)
    if not isinstance(value, dict) or (plain and not all(isinstance(member, str) for member in members.values())):
        raise ValueError(f"holds {what} that is not an object{' of texts' if plain else ''}")
    return members


SETTINGS = (
    Setting(
        "DATABASE_URL", None, _database_url, "Where the data is: any SQLAlchemy URL of SQLite or PostgreSQL (asyncpg). "
        "Without it, the SQLite file recovery.db in DATA_DIR. A relative SQLite path is made absolute at start.", secret=True,
    ),
    Setting("DATA_DIR", "var", _folder, "The folder of the keys and the embedded database."),
    Setting("PUBLIC_URL", "http://127.0.0.1:8000", _address, "The address that clients see; tokens are issued by it and for its /fhir."),
    Setting(
        "TRUSTED_ISSUERS", "[]", _issuers, "JSON list of external OpenID providers whose tokens are taken: "
        '[{"issuer": …, "audience": …, "jwks_uri": … (else by discovery), "claims": {"role": "groups", "fhirUser": "fhirUser", '
        '"organization": "org"}, "roles": {"staff-cm": "case-manager"}}].',
    ),
    Setting(
        "ALLOWED_PRIVATE_ENDPOINTS", "", _addresses, "Comma-separated addresses (origin, or origin with path) that the server may "
        "call although they are private or loopback; all other private addresses are refused.",
    ),
    Setting(
        "EMBEDDED_WORKER", "true", _boolean, "Whether `serve` does background work itself; `false` where `worker` processes run.",
    ),
    Setting("TIME_ZONE", "UTC", _zone, "The agency's zone (IANA name): what a date without a time means."),
    Setting(
        "TOKEN_TTL", "900", _whole(86_400), "Seconds that an access token lasts: at most a day, 900 for staff, 300 for systems."
    ),
    Setting("REQUIRE_TOTP", "false", _boolean, "Whether staff need a second factor: one-time codes of an authenticator."),
    Setting(
        "NOTICE_FILE", None, _wording, "A text file with the wording of the redisclosure notice (42 CFR 2.32), read at start; without it, "
        "the regulation's long statement.",
    ),
    Setting("EMERGENCY_ACCESS_TTL", "3600", _whole(3_600), "Seconds that an emergency (break-glass) access lasts, never more than 3600."),
    Setting("GOALS_PER_WEEK", "2", _whole(1_000, "goals"), "New active goals of a client in seven days, beside the client's own."),
    Setting(
        "ON_CALL", None, _practitioner, "Who gets an escalation that nobody else is there for, and one that nobody below has acknowledged: "
        "Practitioner/ID of a case manager. Without it such an escalation stays with whom it has.",
    ),
    Setting(
        "HOLIDAYS", "", _dates, "Comma-separated dates (YYYY-MM-DD) on which the agency is closed: deadlines by business days skip them.",
    ),
    Setting("NOTE_REVIEW_HOURS", "48", _whole(8_760, "hours"), "Hours in which a note that was submitted is to be returned or co-signed."),
    Setting(
        "COMPANION_GRACE_DAYS", "7", _whole(365, "days"), "Days after the end of a companion's time with a client in which she finishes "
        "her own notes.",
    ),
    Setting(
        "SUPERVISION_CADENCE_DAYS", "14", _whole(365, "days"), "Days from one supervision check-in to the next, where a companion's "
        "PractitionerRole says nothing else.",
    ),
    Setting(
        "CONSENT_EXPIRY_DAYS", "30", _whole(365, "days"), "Days before the end of a Consent in which the client's case manager is told "
        "of it.",
    ),
    Setting("AGE_OF_MAJORITY", "18", _years, "From which age a client is no minor, by the law of the agency's state."),
    Setting(
        "MINOR_CONSENT_AGE", "18", _years, "From which age a minor signs a Consent alone (42 CFR 2.14), by the law of the agency's state; "
        "below it a parent or guardian signs too.",
    ),
    Setting(
        "EXPORT_STORE", None, _store, "Where the files of exports are kept: a folder, which all servers and workers share, or "
        "s3://bucket/prefix (with the extra `s3`; address and keys in AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and the like). "
        "Without it, the folder exports in DATA_DIR.",
    ),
    Setting("EXPORT_TTL", "3600", _whole(3_600), "Seconds that the files of an export are kept, never more than 3600."),
    Setting("EXPORTS_AT_ONCE", "3", _whole(100, "exports"), "Exports of one API client that may be under way at once."),
    Setting(
        "IMPORT_FOLDER", None, _folder, "The folder from which `$import` may take files; without it, from none. Addresses must be public, "
        "or among ALLOWED_PRIVATE_ENDPOINTS.",
    ),
)  # fmt: skip
