"""Measures smolcorn beside its peers, in turns, on the machine at hand: `make bench`.

Writes Markdown and JSON, and with --readme the README's table. Runs in an environment that holds
all the servers; the Makefile makes one. A run that other work has disturbed, or
in which smolcorn made errors, leaves the README as it is.
"""

import argparse
import platform
import shlex
import signal
import sys
from datetime import date
from pathlib import Path

from measure import generator, machine
from measure.failure import Failure
from measure.loads import LOADS, Load
from measure.report import Report, section, write_readme
from measure.rounds import FULL, QUICK, Bench, Settings
from measure.servers import SERVERS, installed_version

RESULTS = Path(__file__).parent / "results"
#: What the servers run on, beside themselves.
GROUND = ("uvloop", "httptools", "fastapi")
EAGER_TASKS = (3, 12)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="few loads and short turns"
    )
    parser.add_argument(
        "--loads", metavar="NAMES", help=f"of {','.join(load.name for load in LOADS)}"
    )
    parser.add_argument("--rounds", type=int, help="turns of each server on each load")
    parser.add_argument("--seconds", type=int, help="measured in each turn")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder for the report"
    )
    parser.add_argument(
        "--readme", type=Path, help="file whose marked table to rewrite"
    )
    return parser.parse_args()


def chosen_loads(options: argparse.Namespace) -> list[Load]:
    if options.loads is None:
        return [load for load in LOADS if load.quick or not options.quick]
    by_name = {load.name: load for load in LOADS}
    names = options.loads.split(",")
    if unknown := [name for name in names if name not in by_name]:
        raise Failure(f"no such load: {', '.join(unknown)}")
    return [by_name[name] for name in names]


def chosen_settings(options: argparse.Namespace) -> Settings:
    default = QUICK if options.quick else FULL
    settings = Settings(
        options.rounds or default.rounds,
        default.warm_up,
        options.seconds or default.seconds,
    )
    if min(settings.rounds, settings.seconds) < 1:
        raise Failure("--rounds and --seconds must be positive")
    return settings


def command(options: argparse.Namespace) -> str:
    """What to type for the same measurement."""
    given = {name: getattr(options, name) for name in ("loads", "rounds", "seconds")}
    extra = " ".join(f"--{name} {value}" for name, value in given.items() if value)
    words = ["make bench", "PYTHON=python{}.{}".format(*sys.version_info)]
    if options.quick:
        words.append("QUICK=1")
    if extra:
        words.append(f"BENCH_ARGS={shlex.quote(extra)}")
    return " ".join(words)


def versions(wrk: str) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in [*(server.name for server in SERVERS), *GROUND]:
        found[name] = installed_version(name)
    name, _, version = generator.version(wrk).partition(" ")
    return {**found, name: version}


def measure(options: argparse.Namespace) -> Report:
    """Lets the servers take their turns, and shows each load's table as soon as it is there."""
    loads, settings = chosen_loads(options), chosen_settings(options)
    wrk, cores = generator.find(), machine.choose_cores()
    found = versions(wrk)
    if sys.version_info < EAGER_TASKS:
        print("This Python has no eager tasks; from 3.12 on smolcorn is faster.\n")
    bench = Bench(wrk, cores, settings)
    rows = []
    for load in loads:
        rows.append(bench.compare(load, SERVERS))
        print(section(rows[-1], found), end="\n\n", flush=True)
    today = date.today().isoformat()
    return Report(
        today,
        command(options),
        machine.describe(),
        found,
        cores,
        settings,
        bench.others_busy,
        rows,
    )


def save(report: Report, folder: Path, quick: bool) -> Path:
    """Writes both forms; returns the Markdown's path."""
    python = "py{}.{}".format(*sys.version_info)
    parts = [
        report.date,
        f"{report.machine['cores']}-core",
        python,
        *(["quick"] if quick else []),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    markdown = folder / f"{'-'.join(parts)}.md"
    markdown.write_text(report.markdown())
    markdown.with_suffix(".json").write_text(report.json())
    return markdown


def main() -> int:
    options = arguments()
    # As Ctrl-C, it must not leave a server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        report = measure(options)
        written = save(report, options.results, options.quick)
        print(f"Written: {written} and .json")
        if options.readme:
            write_readme(report, options.readme, written)
        elif complaint := report.complaint():
            print(f"Not fit to be published: {complaint}.")
    except Failure as failure:
        print(f"compare.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


sys.exit(main())
