import json
from pathlib import Path

import pytest

from recovery_api.settings import SETTINGS, Settings, SettingsError, TrustedIssuer, load

INTERFACES = {
    "DATABASE_URL", "DATABASE_REPLICA_URL", "DATA_DIR", "PUBLIC_URL", "TRUSTED_ISSUERS", "ALLOWED_PRIVATE_ENDPOINTS",
    "AGE_OF_MAJORITY", "MINOR_CONSENT_AGE",
    "EMBEDDED_WORKER", "EMERGENCY_ACCESS_TTL", "TIME_ZONE", "TOKEN_TTL", "NOTICE_FILE", "NOTE_REVIEW_HOURS", "COMPANION_GRACE_DAYS",
    "REQUIRE_TOTP", "EXPORT_STORE",
}  # fmt: skip
ADDED = {
    "CONSENT_EXPIRY_DAYS", "EXPORTS_AT_ONCE", "EXPORT_TTL", "GOALS_PER_WEEK", "HOLIDAYS", "IMPORT_FOLDER", "ON_CALL",
    "SUPERVISION_CADENCE_DAYS",
}  # fmt: skip
"""Settings that the interfaces do not name: adding is free."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(**values: str) -> Settings:
    return load({f"RECOVERY_{name}": value for name, value in values.items()})


def refused(**values: str) -> str:
    with pytest.raises(SettingsError) as refusal:
        loaded(**values)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_the_defaults_are_those_of_the_interfaces(folder: Path) -> None:
    settings = load({"HOME": "/root", "PATH": "/bin"})
    assert settings.database_url == f"sqlite:///{folder}/var/recovery.db"
    assert settings.data_dir == folder / "var"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.fhir_base == "http://127.0.0.1:8000/fhir"
    assert settings.trusted_issuers == ()
    assert settings.allowed_private_endpoints == ()
    assert settings.time_zone.key == "UTC"
    assert settings.token_ttl == 900
    assert settings.notice_file is None
    assert settings.emergency_access_ttl == 3_600
    assert (settings.note_review_hours, settings.companion_grace_days) == (48, 7)


def test_every_setting_has_a_known_name_and_says_what_it_means() -> None:
    assert {setting.name for setting in SETTINGS} <= INTERFACES | ADDED
    assert all(setting.meaning.endswith(".") for setting in SETTINGS)
    assert {setting.name.lower() for setting in SETTINGS} == set(Settings.__dataclass_fields__)


def test_values_come_from_the_environment(folder: Path) -> None:
    settings = loaded(
        DATA_DIR="/srv/recovery",
        PUBLIC_URL="https://recovery.example.org/",
        ALLOWED_PRIVATE_ENDPOINTS="http://127.0.0.1:9000, http://10.0.0.1/hooks/",
        TIME_ZONE="America/New_York",
        TOKEN_TTL="300",
    )
    assert settings.database_url == "sqlite:////srv/recovery/recovery.db"
    assert settings.public_url == "https://recovery.example.org"
    assert settings.allowed_private_endpoints == ("http://127.0.0.1:9000", "http://10.0.0.1/hooks")
    assert (settings.time_zone.key, settings.token_ttl) == ("America/New_York", 300)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("sqlite:///data/a.db", "sqlite:///{folder}/data/a.db"),
        ("sqlite:////srv/a.db", "sqlite:////srv/a.db"),
        ("sqlite+aiosqlite:///a.db?timeout=5", "sqlite+aiosqlite:///{folder}/a.db?timeout=5"),
        ("postgresql+asyncpg://u:p@db/recovery?host=h1:1&host=h2:2", "postgresql+asyncpg://u:p@db/recovery?host=h1:1&host=h2:2"),
        ("postgresql://db/recovery", "postgresql://db/recovery"),
    ],
)
def test_a_database_is_named_by_its_url(folder: Path, given: str, taken: str) -> None:
    assert loaded(DATABASE_URL=given).database_url == taken.format(folder=folder)


def test_the_notice_is_read_from_its_file(folder: Path) -> None:
    (folder / "notice.txt").write_text("Keep this to yourself.\n")
    assert loaded(NOTICE_FILE=str(folder / "notice.txt")).notice_file == "Keep this to yourself."
    assert "NOTICE_FILE must name a readable file" in refused(NOTICE_FILE=str(folder / "none.txt"))


def test_the_environment_wins_over_the_env_file(folder: Path) -> None:
    (folder / ".env").write_text(
        "# settings\n\nPORT=9\nexport RECOVERY_TOKEN_TTL = 60 \nRECOVERY_TIME_ZONE='Europe/Paris'\nRECOVERY_PUBLIC_URL=\"https://a.test\"\n"
    )
    assert load({}).token_ttl == 60
    assert load({}).time_zone.key == "Europe/Paris"
    assert load({}).public_url == "https://a.test"
    assert loaded(TOKEN_TTL="61").token_ttl == 61
    assert load({}, folder / "other.env").token_ttl == 900


def test_an_empty_value_is_the_default() -> None:
    assert loaded(TOKEN_TTL="", DATABASE_URL=" ") == load({})


def test_a_line_of_the_env_file_that_is_no_setting_is_named(folder: Path) -> None:
    (folder / ".env").write_text("RECOVERY_TOKEN_TTL=60\nRECOVERY TIME\n")
    with pytest.raises(SettingsError, match=r"Line 2 of \.env"):
        load({})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("TOKEN_TLT", "did you mean RECOVERY_TOKEN_TTL?"),
        ("DATABASE", "did you mean RECOVERY_DATABASE_URL?"),
        ("XYZ", "there are RECOVERY_DATABASE_URL"),
    ],
)
def test_an_unknown_name_stops_the_start(name: str, says: str) -> None:
    line = refused(**{name: "1"})
    assert line.startswith(f"RECOVERY_{name} is not a setting")
    assert says in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@db/x"),
        ("DATABASE_URL", "postgresql+psycopg://u:hunter2@db/x"),
        ("DATABASE_URL", "recovery.db"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("HOLIDAYS", "Christmas"),
        ("HOLIDAYS", "2026-12-25;2027-01-01"),
        ("ON_CALL", "ruth"),
        ("ON_CALL", "Patient/ana"),
        ("PUBLIC_URL", "recovery.example.org"),
        ("PUBLIC_URL", "ftp://recovery.example.org"),
        ("PUBLIC_URL", "https://recovery.example.org?x=1"),
        ("PUBLIC_URL", "https://u:hunter2@recovery.example.org"),
        ("PUBLIC_URL", "https://recovery.example.org:port"),
        ("ALLOWED_PRIVATE_ENDPOINTS", "127.0.0.1:9000"),
        ("AGE_OF_MAJORITY", "-18"),
        ("MINOR_CONSENT_AGE", "fourteen"),
        ("ALLOWED_PRIVATE_ENDPOINTS", "http://127.0.0.1,http://a:hunter2@b"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("TIME_ZONE", "../../etc/passwd"),
        ("TOKEN_TTL", "0"),
        ("TOKEN_TTL", "-5"),
        ("TOKEN_TTL", "15m"),
        ("TOKEN_TTL", "86401"),
        ("EMERGENCY_ACCESS_TTL", "3601"),
        ("EMERGENCY_ACCESS_TTL", "0"),
        ("TOKEN_TTL", "٣"),
        ("TRUSTED_ISSUERS", "{"),
        ("TRUSTED_ISSUERS", "{}"),
        ("TRUSTED_ISSUERS", "[1]"),
        ("TRUSTED_ISSUERS", '[{"issuer": "https://idp.test"}]'),
        ("TRUSTED_ISSUERS", '[{"issuer": "idp", "audience": "a"}]'),
        ("TRUSTED_ISSUERS", '[{"issuer": "https://idp.test", "audience": "a", "jwks": "x"}]'),
        ("TRUSTED_ISSUERS", '[{"issuer": "https://idp.test", "audience": "a", "jwks_uri": 1}]'),
        ("TRUSTED_ISSUERS", '[{"issuer": "https://idp.test", "audience": "a", "jwks_uri": "keys"}]'),
        ("TRUSTED_ISSUERS", '[{"issuer": "https://idp.test", "audience": "a", "claims": {"roles": "x"}}]'),
        ("TRUSTED_ISSUERS", '[{"issuer": "https://idp.test", "audience": "a", "roles": {"x": 1}}]'),
        ("TRUSTED_ISSUERS", '[{"issuer": "https://idp.test", "audience": "a"}, {"issuer": "https://idp.test", "audience": "b"}]'),
    ],
)
def test_a_bad_value_stops_the_start_with_its_name_and_without_a_secret(name: str, value: str) -> None:
    line = refused(**{name: value})
    assert line.startswith(f"RECOVERY_{name} ")
    assert "hunter2" not in line


def test_trusted_issuers_are_read() -> None:
    entry = {
        "issuer": "https://idp.test/realm",
        "audience": "recovery",
        "jwks_uri": "https://idp.test/keys?v=2",
        "claims": {"role": "groups", "fhirUser": "fhirUser", "organization": "org"},
        "roles": {"staff-cm": "case-manager"},
    }
    least = {"issuer": "https://other.test", "audience": "recovery"}
    assert loaded(TRUSTED_ISSUERS=json.dumps([entry, least])).trusted_issuers == (
        TrustedIssuer("https://idp.test/realm", "recovery", "https://idp.test/keys?v=2", entry["claims"], entry["roles"]),
        TrustedIssuer("https://other.test", "recovery", None, {}, {}),
    )


def test_settings_do_not_show_the_password_of_the_database() -> None:
    assert "hunter2" not in repr(loaded(DATABASE_URL="postgresql+asyncpg://u:hunter2@db/x"))
