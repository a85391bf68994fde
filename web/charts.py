"""Charts as drawings inside a page: no script, nothing loaded, every value also written beside its bar.

Each is an ``<svg>`` with a title and a description for those who do not see it. What is told apart by colour is told
apart by its hatching too, so that a print in black and white says the same. ``label`` is how a value is written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from zlib import crc32

from markupsafe import Markup

from web.text import display_width

WIDTH = 680
"""Units across; a drawing takes the width of its place."""

BAR_HEIGHT, BAR_STEP, BAR_TOP = 15, 24, 6
LABEL_WIDTH, VALUE_WIDTH = 190, 120
PLOT_HEIGHT, PLOT_TOP, PLOT_BOTTOM = 150, 26, 26
LEGEND_STEP = 21
LABEL_COLUMNS, LEGEND_COLUMNS = 28, 34
"""Room for names, where a wide character takes two."""

FONT = "Noto Sans CJK SC, PingFang SC, Microsoft YaHei, sans-serif"
INK, SOFT, RULE, EMPTY, WHITE = "#1c2623", "#5d6b66", "#b9c4cc", "#eef1ef", "#ffffff"
SIZE, SMALL_SIZE = 12.5, 10.5
COLUMN_EMS = 0.54
"""Width of a narrow character, about."""

COLOURS = ("#1f5c4d", "#c9772b", "#8fb7a6", "#e6c79c", "#5b7286", "#b9c4cc", "#7d3f2a", "#d9e2dc")
HATCHES = ("", "M0 6L6 0", "M0 3H6", "M0 0L6 6", "M3 0V6", "M0 6L6 0M0 0L6 6", "M0 3H6M3 0V6", "M1 1h1v1h-1z")
"""What is drawn over each colour."""

DARK = (0, 1, 4, 6)
"""Colours on which white can be read."""

Label = Callable[[int], str]
Points = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is drawn."""

    x: float
    y: float
    width: float
    height: float

    def rect(self, fill: str) -> str:
        """A filled box."""
        return (
            f'<rect x="{self.x:.1f}" y="{self.y:.1f}" width="{max(self.width, 0):.1f}" '
            f'height="{max(self.height, 0):.1f}" fill="{fill}"/>'
        )


def bars(title: str, points: Points, label: Label) -> Markup:
    """Lying bars, one under the other."""
    most = max((abs(value) for _name, value in points), default=0) or 1
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    parts = []
    for number, (name, value) in enumerate(points):
        place = Place(LABEL_WIDTH, BAR_TOP + number * BAR_STEP, room * abs(value) / most, BAR_HEIGHT)
        middle = place.y + BAR_HEIGHT - 3
        parts += [
            _text(LABEL_WIDTH - 8, middle, _short(name), "end"),
            place.rect(COLOURS[0] if value >= 0 else COLOURS[1]),
            _text(place.x + place.width + 6, middle, label(value)),
        ]
    return _drawing(title, points, label, BAR_TOP * 2 + len(points) * BAR_STEP, parts)


def columns(title: str, points: Points, label: Label) -> Markup:
    """Standing columns side by side."""
    return _plot(title, points, label, _columns)


def line(title: str, points: Points, label: Label) -> Markup:
    """A line through the values, from zero up."""
    return _plot(title, points, label, _line)


def stack(title: str, points: Points, label: Label) -> Markup:
    """One bar, cut by the share of each; the legend under it has the values."""
    whole = sum(value for _name, value in points if value > 0)
    parts, x = [_hatches(title, len(points))], 0.0
    for number, (_name, value) in enumerate(points):
        width = WIDTH * max(value, 0) / whole if whole else 0
        parts += _filled(title, number, Place(x, BAR_TOP, width, 2 * BAR_HEIGHT))
        if width >= WIDTH / 12:
            parts.append(_on(number, x + width / 2, f"{1000 * value // whole / 10:.1f} %"))
        x += width
    if not whole:
        parts.append(Place(0, BAR_TOP, WIDTH, 2 * BAR_HEIGHT).rect(EMPTY))
    top = BAR_TOP + 2 * BAR_HEIGHT + 12
    for number, (name, value) in enumerate(points):
        row, column = divmod(number, 2)
        place = Place(column * WIDTH / 2, top + row * LEGEND_STEP, 13, 13)
        parts += _filled(title, number, place)
        parts.append(_text(place.x + 20, place.y + 11, f"{_short(name, LEGEND_COLUMNS)}  {label(value)}"))
    return _drawing(title, points, label, top + LEGEND_STEP * ((len(points) + 1) // 2), parts)


def _plot(title: str, points: Points, label: Label, draw: Callable[[list[Place]], Iterator[str]]) -> Markup:
    """Values from left to right over their names."""
    most = max((value for _name, value in points), default=0) or 1
    widest = max((_width(text) for name, value in points for text in (_short(name), label(value))), default=0.0)
    edge = widest / 2
    step = (WIDTH - 2 * edge) / max(len(points), 1)
    base = PLOT_TOP + PLOT_HEIGHT
    places = []
    for number, (_name, value) in enumerate(points):
        height = PLOT_HEIGHT * max(value, 0) / most
        width = min(step * 0.62, 64)
        places.append(Place(edge + number * step + (step - width) / 2, base - height, width, height))
    parts = [f'<line x1="0" y1="{base}" x2="{WIDTH}" y2="{base}" stroke="{RULE}"/>', *draw(places)]
    every = max(1, ceil((widest + SMALL_SIZE / 2) / step))  # so that labels do not run into each other
    for number, ((name, value), place) in enumerate(zip(points, places, strict=True)):
        if number % every == 0:
            middle = place.x + place.width / 2
            parts.append(_text(middle, place.y - 6, label(value), "middle", SMALL_SIZE))
            parts.append(_text(middle, base + 17, _short(name), "middle", SMALL_SIZE))
    return _drawing(title, points, label, base + PLOT_BOTTOM, parts)


def _width(text: str) -> float:
    """About how wide a label is."""
    return display_width(text) * SMALL_SIZE * COLUMN_EMS


def _columns(places: list[Place]) -> Iterator[str]:
    return (place.rect(COLOURS[0]) for place in places)


def _line(places: list[Place]) -> Iterator[str]:
    spots = [(place.x + place.width / 2, place.y) for place in places]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    yield f'<polyline points="{path}" fill="none" stroke="{COLOURS[0]}" stroke-width="2.5"/>'
    for x, y in spots:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[1]}"/>'


def _filled(title: str, number: int, place: Place) -> Iterator[str]:
    """A box in the colour and the hatching of its number."""
    number %= len(COLOURS)
    yield place.rect(COLOURS[number])
    if HATCHES[number]:
        yield place.rect(f"url(#{_identity(title)}-{number})")


def _hatches(title: str, count: int) -> str:
    patterns = "".join(
        f'<pattern id="{_identity(title)}-{number}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<path d="{HATCHES[number]}" stroke="#ffffff" stroke-opacity="0.55" stroke-width="1" fill="none"/></pattern>'
        for number in range(min(count, len(HATCHES)))
        if HATCHES[number]
    )
    return f"<defs>{patterns}</defs>"


def _identity(title: str) -> str:
    """A name for what is defined in this drawing, of letters that need no care."""
    return f"h{crc32(title.encode()):08x}"


def _text(x: float, y: float, text: str, anchor: str = "start", size: float = SIZE, fill: str = INK) -> str:
    """Written with all its looks beside it: a drawing does not see the page's style sheet everywhere."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-family="{FONT}" font-size="{size}" '
        f'fill="{fill}">{escape(text)}</text>'
    )


def _on(number: int, x: float, text: str) -> str:
    """Written on a coloured box."""
    fill = WHITE if number % len(COLOURS) in DARK else INK
    box = Place(x - 26, BAR_TOP + 7, 52, 17).rect(COLOURS[number % len(COLOURS)])
    return box + _text(x, BAR_TOP + 20, text, "middle", SIZE, fill)


def _short(name: str, columns: int = LABEL_COLUMNS) -> str:
    """As much of a name as there is room for."""
    if display_width(name) <= columns:
        return name
    while display_width(name) >= columns:
        name = name[:-1]
    return f"{name}…"


def _drawing(title: str, points: Points, label: Label, height: float, parts: Sequence[str]) -> Markup:
    told = "; ".join(f"{name} {label(value)}" for name, value in points)
    svg = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc>{''.join(parts)}</svg>"
    )
    return Markup(svg)  # noqa: S704 - numbers of our own, and texts that are escaped
