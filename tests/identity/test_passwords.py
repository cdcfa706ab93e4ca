"""Passwords: kept as Argon2id, and as much work for a name that nobody has."""

from unittest.mock import patch

import pytest

from recovery_api.identity import passwords
from recovery_api.identity.passwords import PasswordRefused, fits, hashed, new_password


async def test_a_password_fits_what_was_kept_of_it() -> None:
    kept = await hashed("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert kept != await hashed("correct horse battery")
    assert await fits("correct horse battery", kept)
    assert not await fits("correct horse batterY", kept)


async def test_a_name_that_nobody_has_takes_the_same_work() -> None:
    kept = await hashed("correct horse battery")
    with patch.object(passwords._hashes, "verify", wraps=passwords._hashes.verify) as verify:
        for known in (kept, None):
            verify.reset_mock()
            assert not await fits("wrong wrong", known)
            assert verify.call_count == 1
            parameters = verify.call_args.args[1].split("$")[:4]
            assert parameters == kept.split("$")[:4]


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
async def test_a_password_has_some_length(password: str) -> None:
    with pytest.raises(PasswordRefused):
        await hashed(password)
    assert not await fits(password, None)


def test_a_made_password_is_another_each_time() -> None:
    assert len({new_password() for _ in range(100)}) == 100
    assert all(len(password) >= passwords.SHORTEST for password in (new_password(), new_password()))
