"""Words and tables of Markdown, the same in all reports."""

from collections.abc import Sequence


def head(headings: Sequence[str]) -> list[str]:
    """The first column is text, the others are numbers."""
    return [line(headings), line(["---", *["---:"] * (len(headings) - 1)])]


def text_head(headings: Sequence[str]) -> list[str]:
    return [line(headings), line(["---"] * len(headings))]


def line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """Text that a table's cell can hold."""
    return " ".join(text.split()).replace("|", "\\|")


def duration(us: float) -> str:
    return f"{us:.0f} µs" if us < 1000 else f"{us / 1000:.2f} ms"


def mebibytes(size: float | None, digits: int = 0) -> str:
    return "" if size is None else f"{size / 2**20:.{digits}f} MiB"
