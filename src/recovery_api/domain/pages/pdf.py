"""A page as PDF: with title and language, its fonts in it, and the same bytes for the same page.

The fonts (DejaVu, see definitions/fonts) hold Latin, Greek, Cyrillic and more; text is set from left to right.
"""
from functools import cache, partial
from importlib.resources import as_file, files
from io import BytesIO
from threading import Lock
from typing import Final
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, HRFlowable, Paragraph, SimpleDocTemplate

from recovery_api.domain.pages.page import Block, Kind, Page

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
TEXT: Final = ParagraphStyle("text", fontName=REGULAR, fontSize=10, leading=15, spaceAfter=8)
ITEM: Final = ParagraphStyle("item", TEXT, leftIndent=14, bulletIndent=4, spaceAfter=4)
FACT: Final = ParagraphStyle("fact", TEXT, spaceAfter=1)
HEADING: Final = ParagraphStyle("heading", TEXT, fontName=BOLD, fontSize=12, spaceBefore=8)
TITLE: Final = ParagraphStyle("title", TEXT, fontName=BOLD, fontSize=16, leading=22, spaceAfter=10)
_ONE_AT_A_TIME = Lock()
"""The library keeps its fonts for the whole process."""


def write(page: Page) -> bytes:
    """The page as a PDF document, in US letter format."""
    with _ONE_AT_A_TIME:
        _register_fonts()
        made = BytesIO()
        document = SimpleDocTemplate(
            made, pagesize=LETTER, leftMargin=25 * mm, rightMargin=25 * mm, topMargin=22 * mm, bottomMargin=22 * mm,
            title=page.title, author=dict(page.facts).get("Author", ""), lang=page.language, invariant=1,
        )  # fmt: skip
        facts = [Paragraph(f'<font name="{BOLD}">{escape(name)}:</font> {escape(value)}', FACT) for name, value in page.facts]
        story: list[Flowable] = [Paragraph(_lines(page.title), TITLE), *facts, *([_rule()] if facts else []), *map(_flowable, page.blocks)]
        number = partial(_number, page.title)
        document.build(story, onFirstPage=number, onLaterPages=number)
        return made.getvalue()


def _flowable(block: Block) -> Flowable:
    match block.kind:
        case Kind.RULE:
            return _rule()
        case Kind.HEADING:
            return Paragraph(_lines(block.text), HEADING)
        case Kind.ITEM:
            return Paragraph(_lines(block.text), ITEM, bulletText="•")
        case Kind.PARAGRAPH:
            return Paragraph(_lines(block.text), TEXT)


def _rule() -> Flowable:
    return HRFlowable(width="100%", thickness=0.5, spaceBefore=6, spaceAfter=10)


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br/>")


def _number(title: str, canvas: Canvas, _: object) -> None:
    canvas.saveState()
    canvas.setFont(REGULAR, 8)
    canvas.drawCentredString(LETTER[0] / 2, 12 * mm, f"{title[:80]} · {canvas.getPageNumber()}")
    canvas.restoreState()


@cache
def _register_fonts() -> None:
    for name in (REGULAR, BOLD):
        with as_file(files("recovery_api.definitions") / "fonts" / f"{name}.ttf") as path:
            pdfmetrics.registerFont(TTFont(name, str(path)))  # pyright: ignore[reportUnknownMemberType] - its stubs leave it open
