"""The reference pages that say what the program says of itself: settings, the access matrix, rules and errors, profiles.

`make reference` writes them to docs/reference, and the keys of the rules as a CodeSystem to definitions/; a test holds them fresh.
"""
import ast
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from recovery_api.fhir import capability, errors
from recovery_api.fhir.errors import FhirError
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.outcome import RULES as RULE_SYSTEM
from recovery_api.fhir.shipped import shipped
from recovery_api.fhir.terminology import CodeSystem, carried
from recovery_api.identity.actor import ROLES
from recovery_api.policy import matrix, relations, writes
from recovery_api.settings import PREFIX, SETTINGS

ROOT = Path(__file__).parents[1]
SOURCE, PAGES = ROOT / "src" / "recovery_api", ROOT / "docs" / "reference"
GENERATED = "<!-- Made by `make reference`; change what it is made of. -->"


def files() -> dict[Path, str]:
    """The text of each page, and of the CodeSystem of the rules."""
    pages = {"settings.md": settings(), "access.md": access(), "rules.md": rules(), "profiles.md": profiles()}
    return {PAGES / name: text for name, text in pages.items()} | {SOURCE / "definitions" / "CodeSystem-rule.json": rule_system()}


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
    named = [(f"`{name}`", _told(name)) for name in relations.RULES]
    return _page(
        "Who may do what",
        "Of each type: c create, r read, u update and patch, s search, d delete, that a role may ever do; in brackets the rule that says\n"
        "which resources exist for it. A token's scopes narrow this; consent, labels and state narrow it further.",
        _table(("type", *ROLES), rows),
        "## Rules for rows\n",
        _table(("rule", "made of"), named),
    )


def rules() -> str:
    """Every key that an OperationOutcome may name, and every kind of error."""
    keys = [(f"`{key}`", status, says) for key, (status, says) in _keys().items()]
    kinds = sorted((error for error in vars(errors).values() if _is_error(error)), key=lambda error: error.status)
    told = [(str(error.status), f"`{error.code}`", error.diagnostics) for error in kinds]
    return _page(
        "Rules and errors",
        "An answer that refuses is an OperationOutcome: severity, code, a sentence, the place as FHIRPath, and in `details.text` the key\n"
        "of the rule that was broken. FHIR's own invariants have the keys of the specification (`obs-6`, `per-1`, …).",
        "## Errors\n",
        _table(("status", "code", "usual sentence"), told),
        "## Rules of this server\n",
        _table(("key", "status", "says"), keys),
    )


def rule_system() -> str:
    """The keys of the rules as a CodeSystem: what an OperationOutcome's `details` are coded with."""
    concepts = [{"code": key, "definition": says} for key, (_, says) in _keys().items()]
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


def _told(name: str) -> str:
    """A row rule in the words of the source: names of parts, joined."""
    tree = ast.parse((SOURCE / "policy" / "relations.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name:
                    return f"`{ast.unparse(value)}`".replace("|", "\\|")
    raise KeyError(name)


def _keys() -> dict[str, tuple[str, str]]:
    """Status and sentence of each rule, by its key."""
    found = {key: (status, says) for key, status, says in _issues()}
    return dict(sorted((found | {name: ("403", rule.says) for name, rule in writes.RULES.items()}).items()))


def _issues() -> Iterator[tuple[str, str, str]]:
    """(key, status, sentence) of every issue with a key of its own that the source raises."""
    statuses = {name: str(error.status) for name, error in vars(errors).items() if _is_error(error)}
    for path in sorted(SOURCE.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.Call) and isinstance(function.func, ast.Name) and function.func.id in statuses:
                for call in ast.walk(function):
                    if key := _key(call):
                        yield key, statuses[function.func.id], _words(call.args[1])  # type: ignore[attr-defined]
            elif key := _key(function):
                yield key, "", _words(function.args[1])  # type: ignore[attr-defined]



def _key(node: ast.AST) -> str:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Issue"):
        return ""
    return next((_words(word.value) for word in node.keywords if word.arg == "key" and not isinstance(word.value, ast.Name)), "")


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)  # type: ignore[misc]
    return str(node.value) if isinstance(node, ast.Constant) else "…"


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
