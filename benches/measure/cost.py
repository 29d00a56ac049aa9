"""What one request costs a server: instructions, system calls, microseconds.

Instructions and calls are counted in two runs, one with twice the requests of the other. The
difference, divided by the number of requests, has neither start nor end of the server in it. The
same requests go over one connection, one after the other, so the counts repeat.
"""

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import callgrind, probe
from .accounting import cpu_time, process_tree
from .failure import Failure, Unsupported
from .generator import Generator
from .loads import Load
from .process import Workshop, check
from .servers import Server

#: perf's samples in a second: no divisor of the kernel's own beats.
SAMPLES_PER_SECOND = 1999
#: Under an object of this name stands what runs in the kernel.
KERNEL = "[kernel]"


@dataclass(frozen=True)
class Cost:
    """Of one request, by object file (or none) and name."""

    unit: str
    parts: dict[tuple[str, str], float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    def by_object(self) -> dict[str, float]:
        """The most first."""
        sums: dict[str, float] = {}
        for (holder, _), value in self.parts.items():
            sums[holder] = sums.get(holder, 0.0) + value
        return dict(sorted(sums.items(), key=lambda pair: -pair[1]))


class Meter:
    """Starts servers under the programs that count."""

    def __init__(self, workshop: Workshop, core: int) -> None:
        self.workshop = workshop
        self.core = core

    def instructions(self, server: Server, load: Load, requests: int) -> Cost:
        """With valgrind's callgrind. User space only, and without caches and branches."""
        runs = []
        for factor in (1, 2):
            folder = (
                self.workshop.folder / f"callgrind-{load.name}-{server.name}-{factor}"
            )
            folder.mkdir()
            words = ["valgrind", "--tool=callgrind", "--trace-children=yes"]
            words += [f"--callgrind-out-file={folder}/%p", "--quiet"]
            self.drive(server, load, requests * factor, words)
            runs.append(callgrind.read(folder.iterdir()))
        parts = {
            (Path(holder).name, name): (runs[1][holder, name] - count) / requests
            for (holder, name), count in runs[0].items()
        }
        return Cost("instructions", parts)

    def system_calls(self, server: Server, load: Load, requests: int) -> Cost:
        """With strace."""
        runs = []
        for factor in (1, 2):
            file = self.workshop.folder / f"strace-{load.name}-{server.name}-{factor}"
            words = ["strace", "-f", "-c", "-o", str(file)]
            self.drive(server, load, requests * factor, words)
            runs.append(read_strace(file.read_text()))
        names = runs[0].keys() | runs[1].keys()
        parts = {
            ("", name): (runs[1][name] - runs[0][name]) / requests for name in names
        }
        return Cost("system calls", parts)

    def drive(
        self, server: Server, load: Load, requests: int, wrapper: Sequence[str]
    ) -> None:
        """So many requests or messages on one connection, one after the other."""
        launch = self.workshop.launch(load)
        try:
            with self.workshop.running(server, launch, {self.core}, wrapper) as running:
                with probe.exchanges(load, running.port) as exchange:
                    for _ in range(requests):
                        exchange()
        except FileNotFoundError:
            raise Unsupported(f"{wrapper[0]} is not installed") from None
        except OSError as error:
            raise Failure(f"did not answer: {error}") from None

    def time(
        self, server: Server, load: Load, generator: Generator, seconds: float
    ) -> Cost:
        """With perf, while the generator drives the server: microseconds of CPU."""
        file = self.workshop.folder / f"perf-{load.name}-{server.name}"
        launch = self.workshop.launch(load)
        with self.workshop.running(server, launch, {self.core}) as running:
            check(running, load)
            generator.drive(load, running.port, 1)
            before = cpu_time(running.pid)
            recording = record(file, list(process_tree(running.pid)))
            counted = generator.drive(load, running.port, seconds)
            used = cpu_time(running.pid) - before
            # It ends with the processes that it looks at, or now.
            recording.terminate()
            recording.wait()
        if not counted.requests:
            raise Failure("no request was answered")
        each_us = (used.user + used.system) * 1e6 / counted.requests
        shares = read_perf(file)
        whole = sum(shares.values()) or 1.0
        parts = {key: share / whole * each_us for key, share in shares.items()}
        return Cost("µs", parts)


def record(file: Path, pids: list[int]) -> "subprocess.Popen[bytes]":
    words = ["perf", "record", "--quiet", "--event", "cpu-clock", "--output", str(file)]
    words += ["--freq", str(SAMPLES_PER_SECOND), "--pid", ",".join(map(str, pids))]
    try:
        return subprocess.Popen(words, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Unsupported("perf is not installed") from None


def read_perf(file: Path) -> dict[tuple[str, str], float]:
    """The share of each function, in percent."""
    words = ["perf", "report", "--stdio", "--input", str(file), "--sort", "dso,symbol"]
    words += ["--percent-limit", "0", "--field-separator", "\t"]
    run = subprocess.run(words, capture_output=True, text=True, errors="replace")
    shares: dict[tuple[str, str], float] = {}
    for line in run.stdout.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) < 3 or not fields[0].endswith("%"):
            continue
        holder = KERNEL if "kernel" in fields[1] else Path(fields[1]).name
        name = fields[2].partition("] ")[2] or fields[2]
        share = float(fields[0].rstrip("%"))
        shares[holder, name] = shares.get((holder, name), 0.0) + share
    if not shares:
        raise Failure(f"perf: {run.stderr.strip().splitlines()[-1:] or 'no samples'}")
    return shares


def read_strace(summary: str) -> Counter[str]:
    """How often each call was made, from the table of `strace -c`."""
    calls: Counter[str] = Counter()
    for line in summary.splitlines():
        fields = line.split()
        if len(fields) in (5, 6) and fields[3].isdigit() and fields[-1] != "total":
            calls[fields[-1]] += int(fields[3])
    return calls
