"""Draws the README's chart: bars of requests per second, a group for each load. Plain SVG.

Each group has a scale of its own, its fastest server being as long as there is room. Colours and
text are readable on white and on black; where the reader's system says which it is, they adapt.
"""

from collections.abc import Iterator, Sequence
from html import escape

from .report import title
from .rounds import Row
from .servers import FLOOR, SUBJECT
from .summary import summarise

WIDTH = 760
BAR, GAP, GROUP_GAP, TITLE = 16, 4, 18, 22
LEFT, RIGHT, TOP = 96, 110, 8
#: The loads that are drawn, those of them that were measured.
LOADS = ("10b", "10kb", "chunks-20", "fastapi", "django", "ws-64b")
STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #57606a; }
    .title { font-weight: 600; }
    .own { fill: #c2410c; } .peer { fill: #8b949e; }
    text.own { font-weight: 600; }
    @media (prefers-color-scheme: dark) {
      text { fill: #b1bac4; }
      .own { fill: #fb923c; } .peer { fill: #6e7681; }
    }
"""


def draw(rows: Sequence[Row]) -> str:
    """The chart of a few loads, or of all if none of those was measured."""
    chosen = [row for row in rows if row.load.name in LOADS] or list(rows)
    parts: list[str] = []
    y = TOP
    for row in chosen:
        group = list(draw_group(row, y))
        parts += group
        y += TITLE + bars_of(row) * (BAR + GAP) + GROUP_GAP
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    label = (
        "<title>Requests per second of each server, by load; longer is better</title>"
    )
    return (
        "\n".join([head, f"  {label}", f"  <style>{STYLE}  </style>", *parts, "</svg>"])
        + "\n"
    )


def bars_of(row: Row) -> int:
    return sum(entry.counts and entry.server.name != FLOOR for entry in row.entries)


def draw_group(row: Row, y: int) -> Iterator[str]:
    """A load's title, and a bar for each server that has a value, the fastest first."""
    values = {
        entry.server.name: summarise(entry).requests_per_second
        for entry in row.entries
        if entry.counts and entry.server.name != FLOOR
    }
    heading = f"{title(row.load)}: {row.load.unit}s per second"
    yield f'  <text class="title" x="{LEFT}" y="{y + 13}">{escape(heading)}</text>'
    y += TITLE
    room = WIDTH - LEFT - RIGHT
    for name, value in sorted(values.items(), key=lambda pair: -pair[1]):
        kind = "own" if name == SUBJECT else "peer"
        text = "own" if name == SUBJECT else "name"
        length = max(1.0, room * value / max(values.values()))
        base = y + BAR - 4
        yield f'  <text class="{text}" x="{LEFT - 8}" y="{base}" text-anchor="end">{name}</text>'
        yield (
            f'  <rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}"'
            ' rx="2"/>'
        )
        yield f'  <text class="{text}" x="{LEFT + length + 6:.1f}" y="{base}">{value:,.0f}</text>'
        y += BAR + GAP
