"""A page as XHTML, which is read as HTML too: no script, no link, no other host, readable on a phone."""
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from recovery_api.domain.pages.page import Block, Kind, Page

STYLE: Final = "body{font-family:sans-serif;line-height:1.5;max-width:42em;margin:2em auto;padding:0 1em}dt{font-weight:bold}dd{margin:0}"
TAGS: Final = {Kind.HEADING: "h2", Kind.PARAGRAPH: "p", Kind.ITEM: "li", Kind.RULE: "hr"}


def write(page: Page) -> bytes:
    """The page as a document in UTF-8."""
    html = Element("html", {"xmlns": "http://www.w3.org/1999/xhtml", "lang": page.language, "xml:lang": page.language})
    head = SubElement(html, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width"})
    SubElement(head, "title").text = page.title
    SubElement(head, "style").text = STYLE
    main = SubElement(SubElement(html, "body"), "main")
    SubElement(main, "h1").text = page.title
    if page.facts:
        facts = SubElement(main, "dl")
        for name, value in page.facts:
            SubElement(facts, "dt").text = name
            SubElement(facts, "dd").text = value
    main.extend(_elements(page.blocks))
    return b"<!DOCTYPE html>\n" + tostring(html, encoding="utf-8") + b"\n"


def narrative(blocks: Iterable[Block]) -> str:
    """The blocks as the `div` of a FHIR narrative."""
    div = Element("div", {"xmlns": "http://www.w3.org/1999/xhtml"})
    div.extend(_elements(blocks))
    return tostring(div, encoding="unicode")


def _elements(blocks: Iterable[Block]) -> Iterator[Element]:
    for kind, group in groupby(blocks, lambda block: block.kind):
        made = [_element(block) for block in group]
        if kind is Kind.ITEM:
            items = Element("ul")
            items.extend(made)
            yield items
        else:
            yield from made


def _element(block: Block) -> Element:
    element = Element(TAGS[block.kind])
    first, *rest = block.text.split("\n")
    element.text = first or None
    for line in rest:
        SubElement(element, "br").tail = line
    return element
