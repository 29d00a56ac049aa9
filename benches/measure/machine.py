"""The machine: which cores are used, and what it is."""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from .failure import Failure

CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Cores:
    """One core for the server, another for the generator."""

    server: int
    generator: int
    #: What is left, for servers of several workers.
    spare: tuple[int, ...] = ()

    def of_server(self, workers: int) -> set[int]:
        """As many cores as there are workers, or all that the generator leaves."""
        return {self.server, *self.spare[: workers - 1]}


def choose_cores() -> Cores:
    """Two cores that this process may use, and not one core's two threads if there is a choice."""
    if not sys.platform.startswith("linux"):
        raise Failure("only Linux tells what must be known of cores and processes")
    server, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise Failure(
            "the server and the generator need a core each, and there is only one"
        )
    siblings = hyperthreads(server)
    generator = next((core for core in others if core not in siblings), others[0])
    spare = tuple(core for core in others if core != generator)
    return Cores(server, generator, spare)


def hyperthreads(core: int) -> set[int]:
    """The logical cores that share this one's hardware, itself included."""
    try:
        text = (CPUS / f"cpu{core}" / "topology" / "thread_siblings_list").read_text()
    except OSError:
        return {core}
    siblings: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        siblings.update(range(int(first), int(last or first) + 1))
    return siblings


def describe() -> dict[str, str | int]:
    """What a reader must know to judge the numbers."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count() or 1,
        # No more of it: distributions and clouds put names of their own behind.
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "architecture": platform.machine(),
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
