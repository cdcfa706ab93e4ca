"""Plots as SVG: no script, no other host, a title and a description for those who do not see them."""
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH, HEIGHT = 720, 320
LEFT, TOP, RIGHT, BOTTOM = 48, 40, 708, 264
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe and Ito's, which most people with a colour vision deficiency tell apart."""
MOST_LABELS = 12


def bars(title: str, description: str, columns: Sequence[tuple[str, Mapping[str, int]]]) -> bytes:
    """Stacked bars: a column for each label, with how often each kind was there."""
    svg = _canvas(title, description)
    kinds = sorted({kind for _, counts in columns for kind in counts})
    top = max((sum(counts.values()) for _, counts in columns), default=0) or 1
    width = (RIGHT - LEFT) / (len(columns) or 1)
    for place, (label, counts) in enumerate(columns):
        left, foot = LEFT + width * place, float(BOTTOM)
        for colour, kind in enumerate(kinds):
            height = (BOTTOM - TOP) * counts.get(kind, 0) / top
            foot -= height
            if height:
                bar = _shape(svg, "rect", x=left + width * 0.1, y=foot, width=width * 0.8, height=height, fill=_colour(colour))
                SubElement(bar, "title").text = f"{label}: {kind} {counts[kind]}"
        if place % (len(columns) // MOST_LABELS + 1) == 0:
            _text(svg, label, left + width / 2, BOTTOM + 16, "middle")
    _scale(svg, 0, top)
    for place, kind in enumerate(kinds):
        _shape(svg, "rect", x=LEFT + 88 * (place % 7), y=HEIGHT - 34 + 16 * (place // 7), width=10, height=10, fill=_colour(place))
        _text(svg, kind, LEFT + 14 + 88 * (place % 7), HEIGHT - 25 + 16 * (place // 7), "start")
    return tostring(svg)


def line(title: str, description: str, points: Sequence[tuple[datetime, float]]) -> bytes:
    """Values over time, in the order of time."""
    svg = _canvas(title, description)
    low, high = min((value for _, value in points), default=0.0), max((value for _, value in points), default=1.0)
    low, high = min(low, 0.0), high if high > low else low + 1
    first, last = (points[0][0], points[-1][0]) if points else (None, None)
    span = (last - first).total_seconds() if first and last else 0.0

    def place(moment: datetime, value: float) -> tuple[float, float]:
        along = (moment - first).total_seconds() / span if first and span else 0.5
        return LEFT + (RIGHT - LEFT) * along, BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    places = [place(*point) for point in points]
    for (x1, y1), (x2, y2) in pairwise(places):
        _shape(svg, "line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=COLOURS[0], stroke_width=2)
    for (x, y), (moment, value) in zip(places, points, strict=True):
        dot = _shape(svg, "circle", cx=x, cy=y, r=4, fill=COLOURS[0])
        SubElement(dot, "title").text = f"{moment.date().isoformat()}: {value:g}"
    for moment, anchor in ((first, "start"), (last, "end")):
        if moment:
            _text(svg, moment.date().isoformat(), LEFT if anchor == "start" else RIGHT, BOTTOM + 16, anchor)
    _scale(svg, low, high)
    return tostring(svg)


def _canvas(title: str, description: str) -> Element:
    svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "font-size": "11"})
    SubElement(svg, "title").text = title
    SubElement(svg, "desc").text = description
    _text(svg, title, LEFT, 20, "start")
    _shape(svg, "line", x1=LEFT, y1=BOTTOM, x2=RIGHT, y2=BOTTOM, stroke="#444444", stroke_width=1)
    return svg


def _scale(svg: Element, low: float, high: float) -> None:
    for value, y in ((low, BOTTOM), (high, TOP)):
        _text(svg, f"{value:g}", LEFT - 6, y + 4, "end")


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _shape(parent: Element, name: str, **said: float | str) -> Element:
    told = {key.replace("_", "-"): f"{value:.1f}" if isinstance(value, float) else str(value) for key, value in said.items()}
    return SubElement(parent, name, told)


def _text(parent: Element, text: str, x: float, y: float, anchor: str) -> None:
    _shape(parent, "text", x=x, y=y, text_anchor=anchor, fill="#222222").text = text
