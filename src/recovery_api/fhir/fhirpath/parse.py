"""FHIRPath text to a small syntax tree (grammar: http://hl7.org/fhirpath/N1/, read by fhirpathpy's ANTLR parser).

A tree is a list: its kind, then its parts. Absent left sides stand for the focus.
    ["this"] ["index"] ["total"] ["null"]                   ["literal", type, value]          ["variable", name]
    ["member", left | None, name]                           ["call", left | None, name, [tree, …]]
    ["item", left, index]   ["is" | "as", left, type name]  ["operator", symbol, left, right]  ["negative", tree]
"""
import json
import re
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any, TypeAlias, cast

from recovery_api.fhir.fhirpath.errors import FhirPathError
from recovery_api.fhir.json import load

Tree: TypeAlias = list[Any]
_Parsed: TypeAlias = dict[str, Any]

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"r": "\r", "n": "\n", "t": "\t", "f": "\f"}
_CALENDAR = ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")


@lru_cache(maxsize=2048)
def parse(expression: str) -> Tree:
    """The tree of an expression: from the trees that come with the package, else parsed here and now.

    Raises FhirPathError for text that is not FHIRPath.
    """
    return _compiled().get(expression) or parse_text(expression)


@lru_cache(maxsize=1)
def _compiled() -> dict[str, Tree]:
    file = resources.files("recovery_api") / "definitions" / "compiled" / "fhirpath.json"
    return load(file.read_bytes()) if file.is_file() else {}


def parse_text(expression: str) -> Tree:
    """The tree of an expression, parsed. Raises FhirPathError for text that is not FHIRPath."""
    from antlr4 import CommonTokenStream, InputStream, ParseTreeWalker  # noqa: PLC0415  the grammar is slow to import and rarely needed
    from antlr4.error.ErrorListener import ErrorListener  # noqa: PLC0415
    from fhirpathpy.parser.ASTPathListener import ASTPathListener  # noqa: PLC0415
    from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer  # noqa: PLC0415
    from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser  # noqa: PLC0415

    class Strict(ErrorListener):
        def syntaxError(self, *described: object) -> None:  # noqa: N802  # pyright: ignore[reportIncompatibleMethodOverride]
            # ANTLR gives: recognizer, symbol, line, column, message, error
            raise FhirPathError(f"'{expression}' is not FHIRPath: {described[4]} at column {described[3]}.")

    listener = ASTPathListener()
    lexer = FHIRPathLexer(InputStream(expression))
    lexer.removeErrorListeners()
    lexer.addErrorListener(Strict())
    parser = FHIRPathParser(CommonTokenStream(lexer))
    parser.removeErrorListeners()
    parser.addErrorListener(Strict())
    try:
        ParseTreeWalker().walk(listener, parser.entireExpression())
    except RecursionError:
        raise FhirPathError(f"'{expression[:40]}…' is nested too deeply.") from None
    entire = cast(list[_Parsed], listener.parentStack)[0]["children"][0]  # pyright: ignore[reportUnknownMemberType]  fhirpathpy tells no type
    return _tree(entire["children"][0])


def _tree(node: _Parsed, left: Tree | None = None) -> Tree:
    """Our tree of the parser's, after `left` (what stands before the dot)."""
    kind: str = node["type"]
    parts: list[_Parsed] = node.get("children", [])
    texts: list[str] = node["terminalNodeText"]
    match kind:
        case "TermExpression" | "InvocationTerm" | "ParenthesizedTerm" | "LiteralTerm":
            return _tree(parts[0], left)
        case "InvocationExpression":
            return _tree(parts[1], _tree(parts[0]))
        case "MemberInvocation":
            return ["member", left, _name(parts[0])]
        case "FunctionInvocation":
            name, *params = parts[0]["children"]
            arguments = cast(list[_Parsed], params[0]["children"] if params else [])
            return ["call", left, _name(name), [_tree(argument) for argument in arguments]]
        case "ThisInvocation" | "IndexInvocation" | "TotalInvocation":
            return [kind.removesuffix("Invocation").lower()]
        case "IndexerExpression":
            return ["item", _tree(parts[0]), _tree(parts[1])]
        case "TypeExpression":
            return [texts[0], _tree(parts[0]), parts[1]["text"]]
        case "PolarityExpression":
            return ["negative", _tree(parts[0])] if texts[0] == "-" else _tree(parts[0])
        case "ExternalConstantTerm":
            constant = parts[0]
            return ["variable", _name(constant["children"][0]) if constant.get("children") else _string(constant["terminalNodeText"][-1])]
        case _ if kind.endswith("Literal"):
            return _literal(kind, node)
        case _:
            return ["operator", texts[0], _tree(parts[0]), _tree(parts[1])]


def _name(node: _Parsed) -> str:
    text: str = node["text"]
    return _string(text) if text[0] == "`" else text


def _string(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2]), text[1:-1])


def _literal(kind: str, node: _Parsed) -> Tree:
    text: str = node["text"]
    match kind:
        case "NullLiteral":
            return ["null"]
        case "BooleanLiteral":
            return ["literal", "boolean", text == "true"]
        case "NumberLiteral":
            return ["literal", "decimal", Decimal(text)] if "." in text else ["literal", "integer", int(text)]
        case "StringLiteral":
            return ["literal", "string", _string(node["terminalNodeText"][0])]
        case "DateTimeLiteral":
            return ["literal", "dateTime", text[1:].removesuffix("T")] if "T" in text else ["literal", "date", text[1:]]
        case "TimeLiteral":
            return ["literal", "time", text[2:]]
        case _:
            return ["literal", "Quantity", _quantity(node["children"][0])]


def _quantity(node: _Parsed) -> _Parsed:
    unit = node["children"][0]
    value = Decimal(node["terminalNodeText"][0])
    if unit["terminalNodeText"]:
        code = _string(cast(str, unit["terminalNodeText"][0]))
        return {"value": value, "unit": code, "system": "http://unitsofmeasure.org", "code": code}
    word = str(unit["children"][0]["terminalNodeText"][0]).removesuffix("s")
    if word not in _CALENDAR:
        raise FhirPathError(f"'{word}' is not a unit of time.")
    return {"value": value, "unit": word}


def dump_trees(expressions: list[str]) -> str:
    """The file of trees for these expressions: JSON, one expression a line, in order."""
    trees = {each: json.dumps(parse_text(each), separators=(",", ":"), default=float) for each in sorted(set(expressions))}
    lines = (f"{json.dumps(each)}:{tree}" for each, tree in trees.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
