"""Writes what was measured: Markdown and JSON, and the part of the README between its marks."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from . import tables, targets
from .failure import Failure
from .footprint import Footprint, Forms
from .loads import Load
from .machine import Cores
from .rounds import Entry, Row, Settings
from .servers import SUBJECT, Server
from .summary import entry_of, ratios, subject_of, summarise, times

README_BEGIN = (
    "<!-- bench: begin; `benches/compare.py --readme` writes what follows -->"
)
README_END = "<!-- bench: end -->"
#: Shares of a core: above the first, others disturb; above the second, the generator is the limit.
OTHERS_BUSY_MAX = 0.05
GENERATOR_BUSY_MAX = 0.95
README_PEERS = ("granian", "uvicorn", "hypercorn", "daphne", "gunicorn")


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
    footprints: list[Footprint]
    forms: Forms

    @property
    def measured(self) -> list[Row]:
        """Without the rows for which the subject lacks something."""
        return [row for row in self.rows if not row.skipped]

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
            f"Each server runs as one worker on core {self.cores.server}, the generator on core"
            f" {self.cores.generator}. They take turns in {settings.rounds} rounds, each turn with"
            f" a fresh process: {settings.warm_up:g} s of warm-up, then {settings.seconds:g} s"
            " measured. Values are medians over the rounds; ± is half the distance from the least"
            f' to the most. "{SUBJECT} does" compares requests/s within each round: the median'
            " ratio, the least and the most. CPU is user and system time of all the server's"
            " processes, with the share of the system in brackets; memory is their PSS after the"
            f" load. Other work used {self.others_busy:.0%} of the two cores between the turns."
        )

    def markdown(self) -> str:
        parts = [f"# {SUBJECT} beside its peers", self.origin(), self.method()]
        if complaint := self.complaint():
            parts.append(f"**Not fit to be published: {complaint}.**")
        parts.append(self.targets_section())
        parts += [section(row, self.versions) for row in self.measured]
        if self.footprints:
            parts.append(footprint_section(self.footprints, self.forms, self.versions))
        parts += [self.modes_section(), self.skipped_section()]
        return "\n\n".join(part for part in parts if part) + "\n"

    def targets_section(self) -> str:
        lines = [
            "## Targets",
            "",
            *tables.text_head(["Load", "Target", "Measured", ""]),
        ]
        for verdict in targets.judge(self.rows, self.footprints):
            cells = [verdict.load, verdict.target, verdict.measured, verdict.word]
            lines.append(tables.line(cells))
        return "\n".join(lines)

    def modes_section(self) -> str:
        """Which modes were tried of the servers that have several, and which one stands above."""
        tried = [(row, e) for row in self.measured for e in row.entries if e.tried]
        if not tried:
            return ""
        lines = [
            "## Modes tried",
            "",
            "In one short turn each; the better one was measured.",
            "",
        ]
        lines += tables.text_head(["Load", "Server", "requests/s", "Measured"])
        for row, entry in tried:
            rates = ", ".join(
                f"{mode} {rate:,.0f}" for mode, rate in entry.tried.items()
            )
            cells = [title(row.load), entry.server.name, rates, entry.server.mode]
            lines.append(tables.line(cells))
        return "\n".join(lines)

    def skipped_section(self) -> str:
        rows = [row for row in self.rows if row.skipped]
        if not rows:
            return ""
        lines = ["## Not measured", "", *tables.text_head(["Load", "Why"])]
        lines += [
            tables.line([title(row.load), tables.plain(row.skipped)]) for row in rows
        ]
        return "\n".join(lines)

    def json(self) -> str:
        verdicts = targets.judge(self.rows, self.footprints)
        content = {
            "date": self.date,
            "command": self.command,
            "machine": self.machine,
            "versions": self.versions,
            "cores": asdict(self.cores),
            "settings": asdict(self.settings),
            "others_busy": self.others_busy,
            "complaint": self.complaint(),
            "targets": [asdict(verdict) for verdict in verdicts],
            "loads": [row_values(row) for row in self.rows],
            "footprints": [asdict(footprint) for footprint in self.footprints],
            "forms": asdict(self.forms),
        }
        return json.dumps(content, indent=2) + "\n"

    def readme_table(self) -> str:
        """A line for each chosen load: the subject's speed, and its ratio to each peer's."""
        rows = [row for row in self.measured if row.load.readme] or self.measured
        present = {entry.server.name for row in rows for entry in row.entries}
        peers = [name for name in README_PEERS if name in present]
        lines = tables.head(
            ["Load", "per second", *(f"× {p}" for p in peers), "CPU each"]
        )
        for row in rows:
            summary = summarise(subject_of(row))
            cells = [title(row.load), f"{summary.requests_per_second:,.0f}"]
            cells += [readme_ratio(row, name) for name in peers]
            lines.append(tables.line([*cells, f"{summary.cpu_us_per_request:.1f} µs"]))
        return "\n".join([*lines, "", self.origin()])


def write_readme(report: Report, readme: Path, whole_report: Path, chart: Path) -> None:
    """Puts chart and table between the README's two marks, unless they are not fit for it."""
    if complaint := report.complaint():
        raise Failure(f"{readme} is left as it is: {complaint}")
    if not report.measured:
        raise Failure(f"{readme} is left as it is: nothing was measured")
    link = os.path.relpath(whole_report, readme.parent)
    picture = f"![Requests per second of each server]({os.path.relpath(chart, readme.parent)})"
    table = f"{report.readme_table()} [The whole report]({link})."
    replace_between(readme, README_BEGIN, README_END, f"{picture}\n\n{table}")


def replace_between(file: Path, begin: str, end: str, text: str) -> None:
    """Puts the text between two marks of a file."""
    before, begun, rest = file.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise Failure(f"{file} lacks the marks {begin} and {end}")
    file.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def section(row: Row, versions: dict[str, str]) -> str:
    """One load's heading, table and notes."""
    unit = row.load.unit
    headings = [
        "Server",
        f"{unit}s/s",
        f"{SUBJECT} does",
        f"CPU/{unit}",
        "p50",
        "p99",
        "memory",
    ]
    lines = [f"## {title(row.load)}", "", *tables.head(headings)]
    notes = ["", row.note] if row.note else []
    subject = subject_of(row)
    for entry in row.entries:
        name = label(entry.server, versions)
        if not entry.counts:
            why = (
                f"skipped: {entry.skipped}"
                if entry.skipped
                else f"invalid: {entry.invalid}"
            )
            lines.append(
                tables.line([name, tables.plain(why), *[""] * (len(headings) - 2)])
            )
            continue
        lines.append(tables.line([name, *measured(entry, subject, row.load)]))
        if (busy := summarise(entry).generator_busy) > GENERATOR_BUSY_MAX:
            notes += [
                "",
                f"With {name}, the generator was the limit: its core was {busy:.0%} busy.",
            ]
    return "\n".join(lines + notes)


def measured(entry: Entry, subject: Entry, load: Load) -> list[str]:
    """The cells of a valid line, after the name."""
    summary = summarise(entry)
    compared = ""
    if entry is not subject and (found := ratios(subject, entry)):
        compared = f"{median(found):.2f}× ({min(found):.2f} to {max(found):.2f})"
    cpu, system = summary.cpu_us_per_request, summary.system_us_per_request
    latencies = [tables.duration(us) for us in (summary.p50_us, summary.p99_us)]
    if load.pipelined > 1 or load.unit == "handshake":
        # wrk takes no times of requests that share a write, and openssl takes none at all.
        latencies = ["", ""]
    return [
        f"{summary.requests_per_second:,.0f} ±{summary.spread:.0%}",
        compared,
        f"{cpu:.1f} µs ({system:.1f})",
        *latencies,
        tables.mebibytes(summary.memory_bytes),
    ]


def footprint_section(
    footprints: Sequence[Footprint], forms: Forms, versions: dict[str, str]
) -> str:
    headings = [
        "Server",
        "first answer",
        "CPU until then",
        "idle memory",
        "each connection",
    ]
    lines = ["## Start, memory and size", "", *tables.head([*headings, "installed"])]
    notes = []
    for one in footprints:
        each = one.connection_bytes
        cells = [
            f"{one.server} {versions[one.server]}",
            "" if one.first_answer_s is None else f"{one.first_answer_s * 1000:.0f} ms",
            "" if one.start_cpu_s is None else f"{one.start_cpu_s * 1000:.0f} ms",
            tables.mebibytes(one.idle_bytes, 1),
            "" if each is None else f"{each / 1024:.2f} KiB of {one.connections:,}",
            tables.mebibytes(one.installed_bytes, 1),
        ]
        lines.append(tables.line(cells))
        notes += [
            f"- {one.server}: {tables.plain(problem)}" for problem in one.problems
        ]
    sizes = {"wheel": forms.wheel_bytes, "binary": forms.binary_bytes}
    told = [
        f"the {name} is {tables.mebibytes(size, 1)}"
        for name, size in sizes.items()
        if size
    ]
    lines += ["", "Installed is the distribution alone, without what it depends on."]
    if told:
        lines += ["", f"Of {SUBJECT} {' and '.join(told)}."]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def row_values(row: Row) -> dict[str, object]:
    """One load, for JSON: the medians, and each turn they come from."""
    subject = subject_of(row)
    entries = [
        {
            "server": entry.server.name,
            "mode": entry.server.mode,
            "tried": entry.tried,
            "invalid": entry.invalid,
            "skipped": entry.skipped,
            "median": asdict(summarise(entry)) if entry.counts else None,
            "subject_ratios": ratios(subject, entry),
            "turns": [asdict(turn) for turn in entry.turns],
        }
        for entry in row.entries
    ]
    return {**row.load.values(), "note": row.note, "entries": entries}


def title(load: Load) -> str:
    plural = "s" if load.connections > 1 else ""
    return f"{load.title}, {load.connections} connection{plural}"


def label(server: Server, versions: dict[str, str]) -> str:
    mode = f" ({server.mode})" if server.mode else ""
    return f"{server.name} {versions[server.name]}{mode}"


def readme_ratio(row: Row, name: str) -> str:
    """Empty where the peer did not take part or has nothing of the kind."""
    entry = entry_of(row, name)
    if entry is None or entry.skipped:
        return "–"
    value = times(row, name)
    return "invalid" if value is None else f"{value:.1f}"
