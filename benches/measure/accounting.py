"""Reads from /proc what processes and cores have used. Linux only."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


@dataclass(frozen=True)
class CpuTime:
    """Seconds on a core since the start."""

    user: float
    system: float

    def __sub__(self, earlier: "CpuTime") -> "CpuTime":
        return CpuTime(self.user - earlier.user, self.system - earlier.system)


def process_tree(root: int) -> Iterator[int]:
    """The process and all that descend from it."""
    yield root
    try:
        tasks = list((PROC / str(root) / "task").iterdir())
        children = [int(child) for task in tasks for child in read_children(task)]
    except OSError:
        return
    for child in children:
        yield from process_tree(child)


def read_children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []


def cpu_time(root: int) -> CpuTime:
    """What the process and all its descendants have used, those that have ended included."""
    user = system = 0
    for pid in process_tree(root):
        try:
            stat = (PROC / str(pid) / "stat").read_text()
        except OSError:
            continue
        # proc_pid_stat(5), fields 14 to 17; the command in field 2 may hold spaces and brackets.
        fields = stat.rpartition(")")[2].split()
        utime, stime, children_utime, children_stime = map(int, fields[11:15])
        user += utime + children_utime
        system += stime + children_stime
    return CpuTime(user / TICKS_PER_SECOND, system / TICKS_PER_SECOND)


def memory_bytes(root: int) -> int:
    """The process tree's memory, with shared pages counted in part (PSS)."""
    kilobytes = 0
    for pid in process_tree(root):
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kilobytes += sum(
            int(line.split()[1]) for line in lines if line.startswith("Pss:")
        )
    return kilobytes * 1024


def busy_seconds(cores: Iterable[int]) -> float:
    """How long these cores have not been idle since the machine's start, for whomever."""
    names = {f"cpu{core}" for core in cores}
    busy = 0
    for line in (PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name in names:
            # proc_stat(5): guest time, behind the first eight, is counted in user time already.
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(
                int, fields[:8]
            )
            busy += user + nice + system + irq + softirq + steal
    return busy / TICKS_PER_SECOND
