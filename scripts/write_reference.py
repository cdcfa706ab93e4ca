"""The reference pages that say what the program says of itself: settings, the access matrix, rules and errors, decisions of consent,
profiles.

`make reference` writes them to docs/reference, and the keys of the rules as a CodeSystem to definitions/; a test holds them fresh.
"""
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from pkgutil import walk_packages

import recovery_api
from recovery_api.domain.consents import ELEMENTS
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir import capability, errors
from recovery_api.fhir.errors import FhirError, Rule
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.outcome import RULES as RULE_SYSTEM
from recovery_api.fhir.shipped import shipped
from recovery_api.fhir.terminology import CodeSystem, carried
from recovery_api.identity.actor import ROLES
from recovery_api.identity.oauth_errors import ERRORS
from recovery_api.policy import matrix, relations, writes
from recovery_api.settings import PREFIX, SETTINGS

ROOT = Path(__file__).parents[1]
PAGES, TABLE = ROOT / "docs" / "reference", ROOT / "tests" / "contract" / "consent_table.md"
DEFINITIONS = ROOT / "src" / "recovery_api" / "definitions"
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


def files() -> dict[Path, str]:
    """The text of each page, and of the CodeSystem of the rules."""
    pages = {
        "settings.md": settings(),
        "access.md": access(),
        "rules.md": rules(),
        "consent-decisions.md": consent_decisions(),
        "profiles.md": profiles(),
    }
    return {PAGES / name: text for name, text in pages.items()} | {DEFINITIONS / "CodeSystem-rule.json": rule_system()}


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
    found = [(f"`{rule.key}`", str(rule.error.status), f"`{rule.code}`", _says(rule).replace("|", "\\|")) for rule in _rules()]
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
        _table(("key", "status", "code", "says"), found),
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
def rule_system() -> str:
    """The keys of the rules as a CodeSystem: what an OperationOutcome's `details` are coded with."""
    by_key = groupby(_rules(), attrgetter("key"))
    concepts = [{"code": key, "definition": " ".join(dict.fromkeys(map(_says, rules)))} for key, rules in by_key]
    said = {
        "resourceType": "CodeSystem",
        "id": "rule",
        "url": RULE_SYSTEM,
        "version": "0.1.0",
        "name": "Rule",
        "title": "Rules",
        "status": "active",
        "experimental": False,
        "date": "2026-11-24",
        "publisher": "Recovery API",
        "description": "The keys of this server's own rules. FHIR's invariants, and profiles by their id, are named in the same place.",
        "caseSensitive": True,
        "content": "fragment",
        "count": len(concepts),
        "concept": concepts,
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def profiles() -> str:
    """Every profile, extension, code system, value set and concept map that the server publishes."""
    structures = shipped("StructureDefinition")
    resources = [one for one in structures if one["kind"] == "resource"]
    extensions = [one for one in structures if one["type"] == "Extension"]
    profile_rows = [(f"`{one['id']}`", one["type"], f"`{_last(one['baseDefinition'])}`", one["description"]) for one in resources]
    extension_rows = [(f"`{one['id']}`", _context(one), one["description"]) for one in extensions]
    systems = [carried().system(one["url"]) for one in shipped("CodeSystem")]
    system_rows = [(f"`{_last(one.url)}`", _codes(one)) for one in systems if one and one.url != RULE_SYSTEM]
    others = [*shipped("ValueSet"), *shipped("ConceptMap")]
    return _page(
        "Profiles and codes",
        "What this server publishes, below `https://recovery-api.example.org/fhir/`: read at `/fhir/TYPE/ID`, and found by `?url=`.\n"
        "A resource that claims a profile in `meta.profile`, one of these or of US Core 7, is held to it when it is written (422).",
        "## Profiles\n",
        _table(("profile", "of", "on top of", "what it is for"), profile_rows),
        *(part for one in resources for part in _asked(one)),
        "## Extensions\n",
        _table(("extension", "of", "says"), extension_rows),
        "## Code systems\n",
        _table(("system", "codes"), system_rows),
        "## Value sets and concept maps\n",
        _table(("name", "type", "what is in it"), [(f"`{one['id']}`", one["resourceType"], one["description"]) for one in others]),
    )


def _asked(structure: JsonObject) -> tuple[str, str]:
    """What one profile asks beyond its base."""
    rows: list[tuple[str, str, str]] = []
    for element in structure["differential"]["element"]:
        said = [f"{element.get('min', 0)}..{element.get('max', '*')}"] if {"min", "max"} & element.keys() else []
        pattern: JsonObject = element.get("patternCodeableConcept", {})
        said += [f"`{_last(one['system'])}\\|{one['code']}`" for one in pattern.get("coding", ())]
        said += [f"`{value}`" for key, value in element.items() if key.startswith("fixed")]
        said += [f"{binding['strength']} `{_last(binding['valueSet'])}`"] if (binding := element.get("binding")) else []
        said += [rule["human"] for rule in element.get("constraint", ())]
        if said:
            rows.append((f"`{element['id']}`", "; ".join(said), element.get("short", "")))
    return f"### {structure['id']}\n", _table(("element", "asks", "what it is"), rows)


def _last(url: str) -> str:
    return url.rpartition("/")[2]


def _context(extension: JsonObject) -> str:
    return ", ".join(one["expression"] for one in extension["context"])


def _codes(system: CodeSystem) -> str:
    return ", ".join(f"`{one.code}`" + (f" (below `{one.parents[0]}`)" if one.parents else "") for one in system.concepts.values())


def _is_error(error: object) -> bool:
    return isinstance(error, type) and issubclass(error, FhirError)


def _cell(row: matrix.Access | None) -> str:
    if row is None:
        return ""
    extra = "".join(f"; writes keep {', '.join(row.writes)}" if row.writes else "")
    left = f"; without {', '.join(row.leaves_out)}" if row.leaves_out else ""
    return f"**{row.may}** ({row.rows}{extra}{left})"


def _rules() -> list[Rule]:
    """Every rule that the program states, by key and sentence: in its modules, their life cycles and tables, and for writes."""
    modules = (import_module(found.name) for found in walk_packages(recovery_api.__path__, "recovery_api."))
    values = (value for module in modules for name, value in vars(module).items() if not name.startswith("__"))
    stated = {*(rule for value in values for rule in _stated(value)), *map(writes.rule, writes.RULES)}
    return sorted(stated, key=attrgetter("key", "says"))


def _stated(value: object) -> Iterator[Rule]:
    """The rules in a value of a module."""
    if isinstance(value, Rule):
        yield value
    elif isinstance(value, LifeCycle):
        yield from (value.start, value.move)
    elif isinstance(value, tuple | Mapping):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _stated(one)


def _says(rule: Rule) -> str:
    return rule.says.replace("{}", "…")


def _page(title: str, about: str, *parts: str) -> str:
    return "\n".join((f"# {title}\n", GENERATED + "\n", about + "\n", *parts))


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write the files; with `--check`, say which are stale."""
    stale = [path.name for path, text in files().items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"Stale: {', '.join(stale)}; run `make reference`." if stale else 0)
    for path, text in files().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
