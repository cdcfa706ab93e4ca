"""The reference pages that say what the program says of itself: settings, the access matrix, rules and errors, decisions of consent.

`make reference` writes them to docs/reference; a test holds them fresh.
"""
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import recovery_api
from recovery_api.domain.consents import ELEMENTS
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir import capability, errors
from recovery_api.fhir.errors import FhirError, Rule
from recovery_api.identity.actor import ROLES
from recovery_api.identity.oauth_errors import ERRORS
from recovery_api.policy import matrix, relations, writes
from recovery_api.settings import PREFIX, SETTINGS

ROOT = Path(__file__).parents[1]
PAGES, TABLE = ROOT / "docs" / "reference", ROOT / "tests" / "contract" / "consent_table.md"
READING = """For whoever answers for privacy. Each section is a client who has signed something; its table says who then sees what of the
record. The server's tests ask it for every cell. How to read it:

- *yes*: they see it. *-*: they get the answer of what does not exist, and can't tell the difference.
- *Permits Riverbend*: a Consent, active, complete and of now, with the organization Riverbend as recipient, for treatment, payment and
  operations unless the section says otherwise. *ETH*, *PSY*, … are security labels, which the server itself sets.
- The client's *companion* and *case manager* work inside the agency: they see without a consent, and a consent may keep them out by
  name. *Another companion* has other clients.
- The *clinician* works for Riverbend and is on the client's care team; *another clinician* is not. The *EHR* is Riverbend's, *another
  EHR* is Harbor's, another health system. These and the *aunt* see what a consent opens to them, and no more.
- A denial that applies wins over every permit, save an exception written right below it.
- What each role may see at all is told in [Who may do what](access.md).
"""
GENERATED = "<!-- Made by `make reference`; change what it is made of. -->"


def pages() -> dict[str, str]:
    """The text of each page, by file name."""
    return {"settings.md": settings(), "access.md": access(), "rules.md": rules(), "consent-decisions.md": consent_decisions()}


def settings() -> str:
    """All settings."""
    rows = [(f"`{PREFIX}{one.name}`", f"`{one.default}`" if one.default else "none", one.meaning) for one in SETTINGS]
    return _page(
        "Settings",
        "From the environment, or from a `.env` file in the folder where the command runs; the environment wins. A name that is not here,\n"
        "or a value that a setting can't take, stops the start with one line that names it.",
        _table(("name", "default", "meaning"), rows),
    )


def access() -> str:
    """Who may do what with which type, and which rows exist for them."""
    served = capability.interactions(capability.definition())
    policy = matrix.load(served, writes.RULES)
    rows = [(type, *(_cell(policy.of(role, type)) for role in ROLES)) for type in sorted(served)]
    read = [(f"`{name}`", rule.says) for name, rule in relations.RULES.items()]
    written = [(f"`{name}`", rule.says) for name, rule in writes.RULES.items()]
    return _page(
        "Who may do what",
        "Of each type: c create, r read, u update and patch, s search, d delete, that a role may ever do; in brackets the rule that says\n"
        "which resources exist for it. A token's scopes narrow this; consent, labels and state narrow it further.",
        _table(("type", *ROLES), rows),
        "## What exists for whom\n",
        "*Kept apart* is what is about employees (label EMP) and what is of psychotherapy or SUD counseling (PSYTHPN).\n",
        _table(("rule", "opens"), read),
        "## What a write must keep\n",
        _table(("rule", "asks"), written),
    )


def rules() -> str:
    """Every key that an OperationOutcome may name, and every kind of error."""
    found = {rule.key: (f"`{rule.key}`", str(rule.error.status), f"`{rule.code}`", rule.says.replace("{}", "…")) for rule in _rules()}
    kinds = sorted((error for error in vars(errors).values() if _is_error(error)), key=lambda error: error.status)
    told = [(str(error.status), f"`{error.code}`", error.diagnostics) for error in kinds]
    oauth = [(f"`{error}`", str(meaning.status), meaning.says) for error, meaning in ERRORS.items()]
    return _page(
        "Rules and errors",
        "An answer that refuses is an OperationOutcome: severity, code, a sentence, the place as FHIRPath, and in `details.text` the key\n"
        "of the rule that was broken. FHIR's own invariants have the keys of the specification (`obs-6`, `per-1`, …) and the status 422.",
        "## Errors\n",
        _table(("status", "usual code", "usual sentence"), told),
        "## Codes\n",
        _table(("code", "means"), [(f"`{code}`", says) for code, says in errors.CODES.items()]),
        "## Rules of this server\n",
        _table(("key", "status", "code", "says"), [found[key] for key in sorted(found)]),
        "## Errors of the authorization server\n",
        "As JSON (`error`, `error_description`) from its endpoints, and in the address by which a browser goes back to the app.\n",
        _table(("error", "status", "means"), oauth),
    )


def consent_decisions() -> str:
    """What each pattern of consent lets be seen, by whom: the table that the tests hold the server to, what is alike in one line."""
    patterns = TABLE.read_text("utf-8").split("\n## ")[2:]
    return _page(
        "What each consent lets be seen",
        READING,
        "## What a consent must say\n",
        "A Consent that permits anything is refused with 422 (`consent-complete`) until all of this is so:\n",
        _table(("what", "where", "by"), [(one.says, f"`{one.at}`", one.source) for one in ELEMENTS]),
        *(part for pattern in patterns for part in _pattern(pattern)),
    )


def _pattern(text: str) -> tuple[str, str, str]:
    """Title, sentences and table of a pattern."""
    title, _, rest = text.partition("\n")
    about = re.split(r"^Client `", rest, maxsplit=1, flags=re.MULTILINE)[0].strip()
    names, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in rest.splitlines() if line.startswith("|")]
    alike: dict[tuple[str, ...], list[str]] = {}
    for what, *marks in rows:
        alike.setdefault(tuple(marks), []).append(what)
    return f"## {title}\n", f"{about}\n", _table(names, [("; ".join(what), *marks) for marks, what in alike.items()])


def _is_error(error: object) -> bool:
    return isinstance(error, type) and issubclass(error, FhirError)


def _cell(row: matrix.Access | None) -> str:
    if row is None:
        return ""
    extra = "".join(f"; writes keep {', '.join(row.writes)}" if row.writes else "")
    left = f"; without {', '.join(row.leaves_out)}" if row.leaves_out else ""
    return f"**{row.may}** ({row.rows}{extra}{left})"


def _rules() -> Iterator[Rule]:
    """Every rule that the program states: in its modules, in their life cycles, and for writes."""
    modules = (import_module(found.name) for found in walk_packages(recovery_api.__path__, "recovery_api."))
    for stated in (value for module in modules for value in vars(module).values()):
        if isinstance(stated, Rule):
            yield stated
        if isinstance(stated, LifeCycle):
            yield from (stated.start, stated.move)
    yield from map(writes.rule, writes.RULES)


def _page(title: str, about: str, *parts: str) -> str:
    return "\n".join((f"# {title}\n", GENERATED + "\n", about + "\n", *parts))


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write the pages; with `--check`, say which are stale."""
    stale = [name for name, text in pages().items() if not (PAGES / name).is_file() or (PAGES / name).read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"Stale: {', '.join(stale)}; run `make reference`." if stale else 0)
    for name, text in pages().items():
        (PAGES / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
