"""Lets the servers take turns on a load, and collects what each turn gave."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from .accounting import CpuTime, busy_seconds, cpu_time, memory_bytes
from .failure import Failure, Unsupported
from .generator import Counted, Generator
from .loads import Load
from .machine import Cores
from .process import Workshop, check
from .servers import FLOOR, SUBJECT, Server

#: How long the machine is watched before each turn.
WATCH_S = 0.2


@dataclass(frozen=True)
class Settings:
    """How long and how often, in seconds and rounds."""

    rounds: int
    warm_up: float
    seconds: float
    #: Measured of each mode of a server that has several, to find the best.
    scout: float


QUICK = Settings(rounds=3, warm_up=0.5, seconds=1, scout=0.5)
FULL = Settings(rounds=5, warm_up=1, seconds=3, scout=1)


@dataclass(frozen=True)
class Turn:
    """What one server did in one round."""

    counted: Counted
    cpu: CpuTime
    memory_bytes: int

    @property
    def requests_per_second(self) -> float:
        return self.counted.requests / self.counted.seconds

    @property
    def cpu_us_per_request(self) -> float:
        return (self.cpu.user + self.cpu.system) * 1e6 / self.counted.requests


@dataclass
class Entry:
    """A server's turns on one load, or why there are none that count."""

    server: Server
    turns: list[Turn] = field(default_factory=list)
    #: What went wrong.
    invalid: str = ""
    #: What the server lacks.
    skipped: str = ""
    #: Requests/s of each mode, where several were tried.
    tried: dict[str, float] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        return bool(self.turns) and not (self.invalid or self.skipped)


@dataclass(frozen=True)
class Row:
    """One load and all that were put to it."""

    load: Load
    entries: list[Entry]
    #: What a reader must know of this row alone.
    note: str = ""

    @property
    def skipped(self) -> str:
        """What the subject lacks, for which nobody was measured."""
        return next((e.skipped for e in self.entries if e.server.name == SUBJECT), "")


class Bench:
    """The comparison's tools: generator, cores, and an eye on what else the machine does."""

    def __init__(
        self, generator: Generator, cores: Cores, settings: Settings, workshop: Workshop
    ) -> None:
        self.generator = generator
        self.cores = cores
        self.settings = settings
        self.workshop = workshop
        self._watched_s = 0.0
        self._busy_s = 0.0

    @property
    def others_busy(self) -> float:
        """The share of the two cores that other work used while nothing was measured."""
        return self._busy_s / (2 * self._watched_s) if self._watched_s else 0.0

    def compare(self, load: Load, servers: Sequence[Server]) -> Row:
        """Every server's turns, in an order that rotates, each turn with a fresh process."""
        entries: list[Entry] = []
        for modes in by_name(
            [server for server in servers if takes_part(server, load)]
        ):
            entries.append(self.scout(load, modes))
            if entries[-1].server.name == SUBJECT and entries[-1].skipped:
                return Row(load, entries)
        for number in range(self.settings.rounds):
            first = number % len(entries)
            for entry in entries[first:] + entries[:first]:
                if not (entry.invalid or entry.skipped):
                    self.take_turn(load, entry, self.settings.seconds)
        return Row(load, entries, self.note(load))

    def note(self, load: Load) -> str:
        if load.workers > len(self.cores.of_server(load.workers)):
            return (
                f"The {load.workers} workers share one core here: the row shows what a second"
                " one costs, and not what it gains."
            )
        return ""

    def scout(self, load: Load, modes: list[Server]) -> Entry:
        """The server in the mode that is best in one short turn."""
        if len(modes) == 1:
            entry = Entry(modes[0])
            if modes[0].name == SUBJECT:
                self.look(load, entry)
            return entry
        tried = [Entry(mode) for mode in modes]
        for entry in tried:
            self.take_turn(load, entry, self.settings.scout)
        valid = [entry for entry in tried if entry.counts]
        if not valid:
            return tried[0]
        rates = {
            entry.server.mode: entry.turns[0].requests_per_second for entry in valid
        }
        best = max(valid, key=lambda entry: rates[entry.server.mode])
        return Entry(best.server, tried=rates)

    def look(self, load: Load, entry: Entry) -> None:
        """Whether the server can do what the load asks for, before anybody is measured."""
        try:
            launch = self.workshop.launch(load)
            cores = self.cores.of_server(load.workers)
            with self.workshop.running(entry.server, launch, cores) as server:
                check(server, load)
                if load.websocket:
                    self.generator.drive(load, server.port, 0.1)
        except Unsupported as lack:
            entry.skipped = str(lack)
        except Failure as failure:
            entry.invalid = str(failure)

    def take_turn(self, load: Load, entry: Entry, seconds: float) -> None:
        """One fresh process: warm-up, then the measured seconds."""
        self.watch()
        try:
            launch = self.workshop.launch(load)
            cores = self.cores.of_server(load.workers)
            with self.workshop.running(entry.server, launch, cores) as server:
                check(server, load)
                self.generator.drive(load, server.port, self.settings.warm_up)
                before = cpu_time(server.pid)
                counted = self.generator.drive(load, server.port, seconds)
                cpu = cpu_time(server.pid) - before
                turn = Turn(counted, cpu, memory_bytes(server.pid))
        except Unsupported as lack:
            entry.skipped = str(lack)
        except Failure as failure:
            entry.invalid = str(failure)
        else:
            entry.turns.append(turn)
            entry.invalid = fault(counted)

    def watch(self) -> None:
        """Looks how busy the two cores are while this does nothing."""
        cores = (self.cores.server, self.cores.generator)
        start, before = time.monotonic(), busy_seconds(cores)
        time.sleep(WATCH_S)
        self._busy_s += busy_seconds(cores) - before
        self._watched_s += time.monotonic() - start


def takes_part(server: Server, load: Load) -> bool:
    if server.name == FLOOR and not load.floor:
        return False
    return not load.servers or server.name in load.servers


def by_name(servers: Sequence[Server]) -> list[list[Server]]:
    return [list(modes) for _, modes in groupby(servers, attrgetter("name"))]


def fault(counted: Counted) -> str:
    """Why this turn does not count; empty if it does."""
    if counted.errors:
        return ", ".join(
            f"{count} {kind} errors" for kind, count in counted.errors.items()
        )
    return "" if counted.requests else "no request was answered"
