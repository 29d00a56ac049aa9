"""Measures smolcorn beside its peers, in turns, on the machine at hand: `make bench`.

Writes Markdown, JSON and an SVG chart, and with --readme the README's part. Runs in an
environment that holds all the servers; the Makefile makes one. A run that other work has
disturbed, or in which smolcorn made errors, leaves the README as it is.
"""

import argparse
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from measure import chart, footprint, generator, machine
from measure.failure import Failure
from measure.footprint import Footprint, Surveyor
from measure.generator import Generator
from measure.loads import LOADS, MAIN_SERVERS, Load
from measure.process import Workshop
from measure.report import Report, footprint_section, section, title, write_readme
from measure.rounds import FULL, QUICK, Bench, Row, Settings, by_name, takes_part
from measure.servers import SERVERS, SUBJECT, Server, installed_version, names

RESULTS = Path(__file__).parent / "results"
#: What the servers run on, beside themselves.
GROUND = ("uvloop", "httptools", "fastapi", "starlette", "django")
EAGER_TASKS = (3, 12)
#: Start, check and end of a server, in seconds; for the estimate alone.
AROUND_TURN_S = 1.5


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="few loads and servers, short turns")
    add("--list", action="store_true", help="show the loads, and end")
    add(
        "--loads",
        metavar="NAMES",
        help="of those that --list shows, with commas between",
    )
    add(
        "--servers",
        metavar="NAMES",
        help=f"of {','.join(names())}; {SUBJECT} is always there",
    )
    add("--rounds", type=int, help="turns of each server on each load")
    add("--seconds", type=float, help="measured in each turn")
    add(
        "--other-python",
        metavar="PATH",
        help="interpreter for the row on another Python",
    )
    add("--clients", type=Path, metavar="PATH", help="the program of benches/clients")
    add("--profiled", action="store_true", help="it was built with a profile (PGO=1)")
    add("--wheel", type=Path, metavar="PATH", help="whose size to report")
    add("--binary", type=Path, metavar="PATH", help="whose size to report")
    add("--results", type=Path, default=RESULTS, help="folder for the report")
    add("--readme", type=Path, help="file whose marked part to rewrite")
    return parser.parse_args()


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    loads: list[Load]
    #: Of footprint.NAMES.
    footprints: list[str]
    servers: list[Server]
    settings: Settings

    def minutes(self) -> float:
        """About how long it takes."""
        turn = self.settings.warm_up + self.settings.seconds + AROUND_TURN_S
        taking = [
            [s for s in self.servers if takes_part(s, load)] for load in self.loads
        ]
        turns = sum(len(by_name(servers)) for servers in taking) * self.settings.rounds
        return (turns * turn + len(self.footprints) * len(self.servers) * 8) / 60


def plan(options: argparse.Namespace) -> Plan:
    loads, footprints = chosen_loads(options)
    return Plan(loads, footprints, chosen_servers(options), chosen_settings(options))


def chosen_loads(options: argparse.Namespace) -> tuple[list[Load], list[str]]:
    if options.loads is None:
        loads = [load for load in LOADS if load.quick or not options.quick]
        return loads, [] if options.quick else list(footprint.NAMES)
    by_name = {load.name: load for load in LOADS}
    wanted = split(options.loads, [*by_name, *footprint.NAMES], "load")
    loads = [by_name[name] for name in wanted if name in by_name]
    return loads, [name for name in wanted if name in footprint.NAMES]


def chosen_servers(options: argparse.Namespace) -> list[Server]:
    wanted: Sequence[str] = MAIN_SERVERS if options.quick else names()
    if options.servers is not None:
        wanted = [SUBJECT, *split(options.servers, names(), "server")]
    return [server for server in SERVERS if server.name in wanted]


def split(given: str, known: Sequence[str], what: str) -> list[str]:
    wanted = [name for name in given.split(",") if name]
    if unknown := [name for name in wanted if name not in known]:
        raise Failure(
            f"no such {what}: {', '.join(unknown)}; there are {', '.join(known)}"
        )
    return wanted


def chosen_settings(options: argparse.Namespace) -> Settings:
    default = QUICK if options.quick else FULL
    rounds = default.rounds if options.rounds is None else options.rounds
    seconds = default.seconds if options.seconds is None else options.seconds
    if min(rounds, seconds) <= 0:
        raise Failure("--rounds and --seconds must be positive")
    shorter = min(1.0, seconds)
    return Settings(
        rounds, min(default.warm_up, shorter), seconds, min(default.scout, shorter)
    )


def command(options: argparse.Namespace) -> str:
    """What to type for the same measurement."""
    given = {
        name: getattr(options, name)
        for name in ("loads", "servers", "rounds", "seconds")
    }
    extra = " ".join(
        f"--{name} {value:g}" if name == "seconds" else f"--{name} {value}"
        for name, value in given.items()
        if value
    )
    words = ["make bench", "PYTHON=python{}.{}".format(*sys.version_info)]
    if options.quick:
        words.append("QUICK=1")
    if options.profiled:
        words.append("PGO=1")
    if extra:
        words.append(f"BENCH_ARGS={shlex.quote(extra)}")
    return " ".join(words)


def versions(wrk: str, servers: Sequence[Server], other: str | None) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    if other:
        found["other Python"] = version_of(other)
    for name in [*(server.name for server in servers), *GROUND]:
        found[name] = installed_version(name)
    name, _, version = generator.version(wrk).partition(" ")
    return {**found, name: version}


def version_of(python: str) -> str:
    words = [python, "-c", "import platform; print(platform.python_version())"]
    try:
        run = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(f"--other-python {python}: {error}") from None
    return run.stdout.strip()


def measure(options: argparse.Namespace, folder: Path) -> Report:
    """Lets the servers take their turns, and shows each load's table as soon as it is there."""
    what = plan(options)
    wrk, cores = generator.find_wrk(), machine.choose_cores()
    # This process does little, but not beside the server.
    os.sched_setaffinity(0, {cores.generator})
    footprint.allow_descriptors()
    found = versions(wrk, what.servers, options.other_python)
    print(f"It takes about {what.minutes():.0f} min.")
    if sys.version_info < EAGER_TASKS:
        print(f"This Python has no eager tasks; from 3.12 on {SUBJECT} is faster.")
    print(flush=True)
    workshop = Workshop(folder, options.other_python)
    bench = Bench(
        Generator(wrk, cores.generator, options.clients), cores, what.settings, workshop
    )
    rows: list[Row] = []
    for load in what.loads:
        rows.append(bench.compare(load, what.servers))
        print(shown(rows[-1], found), end="\n\n", flush=True)
    forms = footprint.forms(options.wheel, options.binary)
    footprints: list[Footprint] = []
    if what.footprints:
        surveyor = Surveyor(workshop, cores.server, what.settings.rounds)
        footprints = surveyor.survey(what.servers, what.footprints)
        print(footprint_section(footprints, forms, found), end="\n\n", flush=True)
    return Report(
        date.today().isoformat(),
        command(options),
        machine.describe(),
        found,
        cores,
        what.settings,
        bench.others_busy,
        rows,
        footprints,
        forms,
    )


def shown(row: Row, found: dict[str, str]) -> str:
    if row.skipped:
        return f"## {title(row.load)}\n\nskipped: {row.skipped}"
    return section(row, found)


def save(report: Report, folder: Path, quick: bool) -> tuple[Path, Path]:
    """Writes all forms; returns the paths of the Markdown and of the chart."""
    python = "py{}.{}".format(*sys.version_info)
    parts = [report.date, f"{report.machine['cores']}-core", python]
    folder.mkdir(parents=True, exist_ok=True)
    markdown = folder / f"{'-'.join([*parts, *(['quick'] if quick else [])])}.md"
    markdown.write_text(report.markdown())
    markdown.with_suffix(".json").write_text(report.json())
    picture = markdown.with_suffix(".svg")
    picture.write_text(chart.draw(report.measured))
    return markdown, picture


def main() -> int:
    options = arguments()
    if options.list:
        for load in LOADS:
            print(f"{load.name:16}{title(load)}")
        for name, told in footprint.NAMES.items():
            print(f"{name:16}{told}")
        return 0
    # As Ctrl-C, it must not leave a server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as folder:
            report = measure(options, Path(folder))
        written, picture = save(report, options.results, options.quick)
        print(f"Written: {written}, .json and .svg")
        if options.readme:
            write_readme(report, options.readme, written, picture)
        elif complaint := report.complaint():
            print(f"Not fit to be published: {complaint}.")
    except Failure as failure:
        print(f"compare.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


sys.exit(main())
