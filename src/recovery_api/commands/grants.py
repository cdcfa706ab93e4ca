"""What each role may ever be granted, from the access policy."""

import tomllib
from functools import cache
from importlib.resources import files

from recovery_api.identity.actor import ROLES
from recovery_api.identity.scopes import role_scopes


@cache
def all_scopes(role: str) -> str:
    """All the scopes that a role may be granted, its role scope first, as a token carries them."""
    policy = tomllib.loads((files("recovery_api") / "definitions" / "access-policy.toml").read_text("utf-8"))
    granted: dict[str, str] = {}
    for row in policy["access"]:
        if row["role"] == role:
            for name in row["types"]:
                granted |= dict.fromkeys(policy["types"].get(name, [name]), row["may"])
    for row in policy["operation"]:
        if role in row["roles"]:
            for type in (type for name in row["types"] for type in policy["types"].get(name, [name]) if type not in {"", "*"}):
                granted[type] = "".join(dict.fromkeys(granted.get(type, "") + row.get("needs", "")))
    return role_scopes(role, ROLES[role].contexts[0], granted)
