"""Writes what was measured: Markdown and JSON, and the table in the README."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from .failure import Failure
from .loads import Load
from .machine import Cores
from .rounds import Entry, Row, Settings
from .servers import SUBJECT, Server
from .summary import peers_of, ratios, subject_of, summarise

README_BEGIN = (
    "<!-- bench: begin; `benches/compare.py --readme` writes what follows -->"
)
README_END = "<!-- bench: end -->"
#: Shares of a core: above the first, others disturb; above the second, wrk is the limit.
OTHERS_BUSY_MAX = 0.05
GENERATOR_BUSY_MAX = 0.95
HEADINGS = (
    "Server",
    "requests/s",
    f"{SUBJECT} does",
    "CPU/request",
    "p50",
    "p99",
    "memory",
)


@dataclass(frozen=True)
class Report:
    """All that was measured in one go, and on what."""

    date: str
    command: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    cores: Cores
    settings: Settings
    #: The share of the two cores that other work used between the turns.
    others_busy: float
    rows: list[Row]

    def complaint(self) -> str:
        """Why these numbers are not fit to be published; empty if they are."""
        if self.others_busy > OTHERS_BUSY_MAX:
            return f"other work used {self.others_busy:.0%} of the two cores"
        invalid = [title(row.load) for row in self.rows if subject_of(row).invalid]
        return f"{SUBJECT} made errors: {'; '.join(invalid)}" if invalid else ""

    def origin(self) -> str:
        """When, how and on what it was measured."""
        machine = self.machine
        versions = ", ".join(
            f"{name} {version}" for name, version in self.versions.items()
        )
        return (
            f"Made on {self.date} by `{self.command}`: {machine['cpu']}, {machine['cores']} cores,"
            f" {machine['kernel']}; {versions}."
        )

    def method(self) -> str:
        """What a reader must know to read the tables."""
        settings = self.settings
        return (
            f"Each server runs as one worker on core {self.cores.server}, wrk on core"
            f" {self.cores.generator}. They take turns in {settings.rounds} rounds, each turn with"
            f" a fresh process: {settings.warm_up} s of warm-up, then {settings.seconds} s"
            " measured. Values are medians over the rounds; ± is half the distance from the least"
            f' to the most. "{SUBJECT} does" compares requests/s within each round: the median'
            " ratio, the least and the most. CPU is user and system time of all the server's"
            " processes, memory is their PSS after the load."
            f" Other work used {self.others_busy:.0%} of the two cores between the turns."
        )

    def markdown(self) -> str:
        parts = [f"# {SUBJECT} beside its peers", self.origin(), self.method()]
        if complaint := self.complaint():
            parts.append(f"**Not fit to be published: {complaint}.**")
        parts += [section(row, self.versions) for row in self.rows]
        return "\n\n".join(parts) + "\n"

    def json(self) -> str:
        content = {
            "date": self.date,
            "command": self.command,
            "machine": self.machine,
            "versions": self.versions,
            "cores": asdict(self.cores),
            "settings": asdict(self.settings),
            "others_busy": self.others_busy,
            "complaint": self.complaint(),
            "loads": [row_values(row) for row in self.rows],
        }
        return json.dumps(content, indent=2) + "\n"

    def readme_table(self) -> str:
        """A line for each load: the subject's speed, and its ratio to each peer's."""
        names = [entry.server.name for entry in self.rows[0].entries]
        peers = [f"× {name}" for name in names if name != SUBJECT]
        lines = table_head(["Load", "requests/s", *peers, "CPU/request"])
        for row in self.rows:
            subject = subject_of(row)
            speed = f"{summarise(subject).requests_per_second:,.0f}"
            times = [median_ratio(subject, peer) for peer in peers_of(row)]
            cpu = " / ".join(map(cpu_us, row.entries))
            lines.append(table_line([title(row.load), speed, *times, f"{cpu} µs"]))
        lines += ["", f"CPU/request is that of {' / '.join(names)}. {self.origin()}"]
        return "\n".join(lines)


def write_readme(report: Report, readme: Path, whole_report: Path) -> None:
    """Puts the table between the README's two marks, unless it is not fit to be published."""
    if complaint := report.complaint():
        raise Failure(f"{readme} is left as it is: {complaint}")
    before, begin, rest = readme.read_text().partition(README_BEGIN)
    _, end, after = rest.partition(README_END)
    if not end:
        raise Failure(f"{readme} lacks the marks {README_BEGIN} and {README_END}")
    link = os.path.relpath(whole_report, readme.parent)
    table = f"{report.readme_table()} [The whole report]({link})."
    readme.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}")


def section(row: Row, versions: dict[str, str]) -> str:
    """One load's heading, table and notes."""
    lines = [f"## {title(row.load)}", "", *table_head(HEADINGS)]
    notes = []
    subject = subject_of(row)
    for entry in row.entries:
        name = label(entry.server, versions)
        if entry.invalid:
            lines.append(
                table_line([name, f"invalid: {plain(entry.invalid)}", *[""] * 5])
            )
            continue
        lines.append(table_line([name, *measured(entry, subject)]))
        if (busy := summarise(entry).generator_busy) > GENERATOR_BUSY_MAX:
            notes += [
                "",
                f"With {name}, wrk was the limit: its core was {busy:.0%} busy.",
            ]
    return "\n".join(lines + notes)


def measured(entry: Entry, subject: Entry) -> list[str]:
    """The cells of a valid line, after the name."""
    summary = summarise(entry)
    compared = ""
    if entry is not subject and (times := ratios(subject, entry)):
        compared = f"{median(times):.2f}× ({min(times):.2f} to {max(times):.2f})"
    return [
        f"{summary.requests_per_second:,.0f} ±{summary.spread:.0%}",
        compared,
        f"{summary.cpu_us_per_request:.1f} µs",
        duration(summary.p50_us),
        duration(summary.p99_us),
        f"{summary.memory_bytes / 2**20:.0f} MiB",
    ]


def row_values(row: Row) -> dict[str, object]:
    """One load, for JSON: the medians, and each turn they come from."""
    subject = subject_of(row)
    entries = [
        {
            "server": entry.server.name,
            "mode": entry.server.mode,
            "invalid": entry.invalid,
            "median": None if entry.invalid else asdict(summarise(entry)),
            "subject_ratios": ratios(subject, entry),
            "turns": [asdict(turn) for turn in entry.turns],
        }
        for entry in row.entries
    ]
    return {**asdict(row.load), "entries": entries}


def title(load: Load) -> str:
    plural = "s" if load.connections > 1 else ""
    return f"{load.title}, {load.connections} connection{plural}"


def label(server: Server, versions: dict[str, str]) -> str:
    mode = f" ({server.mode})" if server.mode else ""
    return f"{server.name} {versions[server.name]}{mode}"


def median_ratio(subject: Entry, peer: Entry) -> str:
    times = ratios(subject, peer)
    return f"{median(times):.1f}" if times else "invalid"


def cpu_us(entry: Entry) -> str:
    return "–" if entry.invalid else f"{summarise(entry).cpu_us_per_request:.0f}"


def duration(us: float) -> str:
    return f"{us:.0f} µs" if us < 1000 else f"{us / 1000:.2f} ms"


def plain(text: str) -> str:
    """Text that a table's cell can hold."""
    return " ".join(text.split()).replace("|", "\\|")


def table_head(headings: Sequence[str]) -> list[str]:
    return [table_line(headings), table_line(["---", *["---:"] * (len(headings) - 1)])]


def table_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
