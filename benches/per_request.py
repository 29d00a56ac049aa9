"""Counts what one request or message costs a server: `make bench-instructions`,
`make bench-syscalls` and `make bench-time`.

Instructions (valgrind) and system calls (strace) repeat from run to run, also on a machine that
is busy. Microseconds (perf) need a machine that does nothing else.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

from measure import generator, machine, tables
from measure.cost import Cost, Meter
from measure.failure import Failure
from measure.generator import Generator
from measure.loads import LOADS, Load
from measure.process import Workshop
from measure.report import replace_between, title
from measure.rounds import takes_part
from measure.servers import SERVERS, SUBJECT, Server, installed_version

KINDS = ("instructions", "syscalls", "time")
HOW = {
    "instructions": "Instructions of one request, in user space, counted by callgrind",
    "syscalls": "System calls of one request, counted by strace",
    "time": "Microseconds of CPU of one request, sampled by perf",
}
#: What costs less does not get a line.
SHARE_MIN = 0.005
Named = TypeVar("Named")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    add = parser.add_argument
    add("kind", choices=KINDS)
    add(
        "--loads",
        default="10b",
        metavar="NAMES",
        help="as of compare.py, with commas between",
    )
    add("--servers", default=SUBJECT, metavar="NAMES", help="with commas between")
    add("--requests", type=int, default=1000, help="counted (instructions, syscalls)")
    add("--seconds", type=float, default=5, help="sampled (time)")
    add("--clients", type=Path, metavar="PATH", help="the program of benches/clients")
    add("--functions", type=int, default=0, help="show so many functions as well")
    add(
        "--write",
        type=Path,
        metavar="PATH",
        help="put the tables between the marks of a file",
    )
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> tuple[list[Load], list[Server]]:
    loads = {load.name: load for load in LOADS}
    # Of several modes the first.
    servers = {server.name: server for server in reversed(SERVERS)}
    return (
        [pick(loads, name, "load") for name in options.loads.split(",")],
        [pick(servers, name, "server") for name in options.servers.split(",")],
    )


def pick(known: dict[str, Named], name: str, what: str) -> Named:
    if name not in known:
        raise Failure(f"no such {what}: {name}; there are {', '.join(known)}")
    return known[name]


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The tables, in Markdown."""
    loads, servers = chosen(options)
    cores = machine.choose_cores()
    meter = Meter(Workshop(folder), cores.server)

    def count(server: Server, load: Load) -> Cost:
        if options.kind == "instructions":
            return meter.instructions(server, load, options.requests)
        if options.kind == "syscalls":
            return meter.system_calls(server, load, options.requests)
        driver = Generator(generator.find_wrk(), cores.generator, options.clients)
        return meter.time(server, load, driver, options.seconds)

    parts = [origin(options, servers)]
    for load in loads:
        parts.append(section(load, servers, count, options))
        print(parts[-1], end="\n\n", flush=True)
    return "\n\n".join(parts)


def origin(options: argparse.Namespace, servers: list[Server]) -> str:
    about = machine.describe()
    versions = ", ".join(f"{s.name} {installed_version(s.name)}" for s in servers)
    python = "Python {}.{}.{}".format(*sys.version_info)
    return (
        f"{HOW[options.kind]}: {date.today().isoformat()}, {about['cpu']}, {about['kernel']},"
        f" {python}, {versions}."
    )


def section(
    load: Load,
    servers: list[Server],
    count: Callable[[Server, Load], Cost],
    options: argparse.Namespace,
) -> str:
    """One load: a column for each server, a line for each object file or system call."""
    costs: dict[str, Cost] = {}
    notes = []
    for server in filter(lambda server: takes_part(server, load), servers):
        try:
            costs[server.name] = count(server, load)
        except Failure as failure:
            notes.append(f"{server.name}: {tables.plain(str(failure))}")
    heading = title(load) if options.kind == "time" else load.title
    lines = [f"### {heading}", "", *comparison(costs, options.kind)]
    for name, cost in costs.items():
        if options.functions:
            lines += ["", *functions(name, cost, options.functions, options.kind)]
    return "\n".join(lines + [line for note in notes for line in ("", note)])


def comparison(costs: dict[str, Cost], kind: str) -> list[str]:
    sums = {name: line_sums(cost, kind) for name, cost in costs.items()}
    least = {name: cost.total * SHARE_MIN for name, cost in costs.items()}
    keys = {
        key: None
        for name, found in sums.items()
        for key, value in found.items()
        if value >= least[name]
    }
    lines = tables.head(["In" if kind != "syscalls" else "Call", *costs])
    for key in keys:
        cells = [shown(sums[name].get(key, 0.0), kind) for name in costs]
        lines.append(tables.line([f"`{key}`", *cells]))
    totals = [shown(cost.total, kind) for cost in costs.values()]
    return [*lines, tables.line(["all", *totals])]


def line_sums(cost: Cost, kind: str) -> dict[str, float]:
    if kind != "syscalls":
        return cost.by_object()
    calls = {name: value for (_, name), value in cost.parts.items()}
    return dict(sorted(calls.items(), key=lambda pair: -pair[1]))


def functions(server: str, cost: Cost, count: int, kind: str) -> list[str]:
    ordered = sorted(cost.parts.items(), key=lambda pair: -pair[1])[:count]
    lines = tables.head([f"{server}: function", cost.unit])
    for (holder, name), value in ordered:
        words = f"`{holder}` {name}" if holder else name
        lines.append(tables.line([tables.plain(words), shown(value, kind)]))
    return lines


def shown(value: float, kind: str) -> str:
    return f"{value:,.0f}" if kind == "instructions" else f"{value:.2f}"


def main() -> int:
    options = arguments()
    # As Ctrl-C, it must not leave a server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as folder:
            text = measure(options, Path(folder))
        if options.write:
            begin = f"<!-- {options.kind}: begin; `make bench-{options.kind}` writes what follows -->"
            replace_between(options.write, begin, f"<!-- {options.kind}: end -->", text)
    except Failure as failure:
        print(f"per_request.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


sys.exit(main())
