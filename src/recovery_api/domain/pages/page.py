"""What stands on a page, whatever it is written as, and how it is made of text, Markdown or a narrative."""
import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError, fromstring

from markdown_it import MarkdownIt
from markdown_it.token import Token


class Kind(Enum):
    """What a block of a page is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    RULE = "rule"


class Block(NamedTuple):
    """One block: its text may hold line ends."""

    kind: Kind
    text: str = ""


class Page(NamedTuple):
    """A page: `facts` are names and values that stand at its top, `language` is a BCP 47 tag."""

    title: str
    facts: Sequence[tuple[str, str]]
    blocks: Sequence[Block]
    language: str = "en"


BLOCK_TAGS: Final = frozenset(
    {"blockquote", "caption", "dd", "div", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "table", "tr", "ul"}
)
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"} | {0x7F: None, 0xFFFE: None, 0xFFFF: None}
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def from_text(text: str) -> list[Block]:
    """Plain text: an empty line ends a paragraph, a line of hyphens alone is a rule."""
    blocks: list[Block] = []
    for part in re.split(r"\n[ \t]*(?:\n[ \t]*)+", _readable(text)):
        said = part.strip("\n")
        ruled = re.fullmatch(r"-{3,}[ \t]*(?:\n(.*))?", said, re.DOTALL)
        if ruled:
            blocks.append(Block(Kind.RULE))
            said = ruled[1] or ""
        if said.strip():
            blocks.append(Block(Kind.PARAGRAPH, said))
    return blocks


def from_markdown(text: str) -> list[Block]:
    """Markdown (CommonMark): its blocks, and the words in them. Links, pictures and HTML are words, too: nothing is active or fetched."""
    blocks: list[Block] = []
    kind = Kind.PARAGRAPH
    for token in _MARKDOWN.parse(_readable(text)):
        match token.type:
            case "heading_open":
                kind = Kind.HEADING
            case "list_item_open":
                kind = Kind.ITEM
            case "heading_close" | "list_item_close":
                kind = Kind.PARAGRAPH
            case "hr":
                blocks.append(Block(Kind.RULE))
            case "inline":
                blocks.append(Block(kind, "".join(_words(token.children or ()))))
            case "fence" | "code_block":
                blocks.append(Block(Kind.PARAGRAPH, token.content.rstrip("\n")))
            case _:
                pass
    return [block for block in blocks if block.text.strip() or block.kind is Kind.RULE]


def from_narrative(div: str) -> list[Block]:
    """A FHIR narrative: its blocks, and the words in them."""
    try:
        root = fromstring(_readable(div))  # noqa: S314 - a div has no document type, so no entities of its own
    except ParseError:
        return []
    found: list[Block] = []
    loose: list[str] = []
    _walk(root, Kind.PARAGRAPH, loose, found)
    _end(loose, Kind.PARAGRAPH, found)
    return found


def _readable(text: str) -> str:
    """Without what neither XML nor a reader takes."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in {"softbreak", "hardbreak"}:
            yield "\n" if token.type == "hardbreak" else " "
        else:
            yield token.content


def _walk(element: Element, kind: Kind, words: list[str], found: list[Block]) -> None:
    """Put the words of an element, in order, into blocks: its own, or the one that goes on around it."""
    name = element.tag.rpartition("}")[2]
    own = name in BLOCK_TAGS
    if own:
        _end(words, kind, found)
        kind = Kind.HEADING if re.fullmatch("h[1-6]|caption", name) else Kind.ITEM if name == "li" else kind
    if name == "hr":
        found.append(Block(Kind.RULE))
    words.append("\n" if name == "br" else _spaced(element.text or ""))
    for child in element:
        _walk(child, kind, words, found)
        words.append(_spaced(child.tail or ""))
        if name == "tr":
            words.append(" ")
    if own:
        _end(words, kind, found)


def _spaced(text: str) -> str:
    """With single spaces, also at its ends."""
    return re.sub(r"\s+", " ", text)


def _end(words: list[str], kind: Kind, found: list[Block]) -> None:
    said = "\n".join(line.strip() for line in re.sub(r"[ \t]+", " ", "".join(words)).split("\n")).strip()
    words.clear()
    if said:
        found.append(Block(kind, said))
