"""Lets the servers take turns on a load, and collects what each turn gave."""

import time
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from . import generator
from .accounting import CpuTime, busy_seconds, cpu_time, memory_bytes
from .failure import Failure
from .generator import Counted
from .loads import Load
from .machine import Cores
from .process import running
from .servers import Server

#: How long the machine is watched before each turn.
WATCH_S = 0.2


@dataclass(frozen=True)
class Settings:
    """How long and how often, in seconds and rounds."""

    rounds: int
    warm_up: int
    seconds: int


QUICK = Settings(rounds=3, warm_up=1, seconds=1)
FULL = Settings(rounds=5, warm_up=1, seconds=4)


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
    """A server's turns on one load, or why they do not count."""

    server: Server
    turns: list[Turn]
    invalid: str = ""


@dataclass(frozen=True)
class Row:
    """One load and all that were put to it."""

    load: Load
    entries: list[Entry]


class Bench:
    """The comparison's tools: wrk, the cores, and an eye on what else the machine does."""

    def __init__(self, wrk: str, cores: Cores, settings: Settings) -> None:
        self.wrk = wrk
        self.cores = cores
        self.settings = settings
        self._watched_s = 0.0
        self._busy_s = 0.0

    @property
    def others_busy(self) -> float:
        """The share of the two cores that other work used while nothing was measured."""
        return self._busy_s / (2 * self._watched_s) if self._watched_s else 0.0

    def compare(self, load: Load, servers: tuple[Server, ...]) -> Row:
        """Every server's turns, in an order that rotates, each turn with a fresh process."""
        entries = [self.scout(load, list(modes)) for modes in by_name(servers)]
        for number in range(self.settings.rounds):
            first = number % len(entries)
            for entry in entries[first:] + entries[:first]:
                if not entry.invalid:
                    self.take_turn(load, entry, self.settings.seconds)
        return Row(load, entries)

    def scout(self, load: Load, modes: list[Server]) -> Entry:
        """The server in the mode that is best in one short turn."""
        if len(modes) == 1:
            return Entry(modes[0], [])
        tried = [Entry(mode, []) for mode in modes]
        for entry in tried:
            self.take_turn(load, entry, QUICK.seconds)
        valid = [entry for entry in tried if not entry.invalid]
        if not valid:
            return tried[0]
        return Entry(
            max(valid, key=lambda e: e.turns[0].requests_per_second).server, []
        )

    def take_turn(self, load: Load, entry: Entry, seconds: int) -> None:
        """One fresh process: warm-up, then the measured seconds."""
        self.watch()
        try:
            with running(entry.server, load, self.cores.server) as server:
                self.drive(load, server.port, self.settings.warm_up)
                before = cpu_time(server.pid)
                counted = self.drive(load, server.port, seconds)
                cpu = cpu_time(server.pid) - before
                turn = Turn(counted, cpu, memory_bytes(server.pid))
        except Failure as failure:
            entry.invalid = str(failure)
            return
        entry.turns.append(turn)
        entry.invalid = fault(counted)

    def drive(self, load: Load, port: int, seconds: int) -> Counted:
        return generator.drive(self.wrk, self.cores.generator, load, port, seconds)

    def watch(self) -> None:
        """Looks how busy the two cores are while this does nothing."""
        cores = (self.cores.server, self.cores.generator)
        start, before = time.monotonic(), busy_seconds(cores)
        time.sleep(WATCH_S)
        self._busy_s += busy_seconds(cores) - before
        self._watched_s += time.monotonic() - start


def by_name(servers: tuple[Server, ...]) -> list[list[Server]]:
    return [list(modes) for _, modes in groupby(servers, attrgetter("name"))]


def fault(counted: Counted) -> str:
    """Why this turn does not count; empty if it does."""
    if counted.errors:
        return ", ".join(
            f"{count} {kind} errors" for kind, count in counted.errors.items()
        )
    return "" if counted.requests else "no request was answered"
