"""What smolcorn is to reach, and whether a report shows that it does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from . import footprint
from .footprint import Footprint
from .rounds import Row
from .servers import FLOOR, SUBJECT
from .summary import Summary, entry_of, peers_of, subject_of, summarise, times

CONNECTION_BYTES_MAX = 4096
LOG_COST_MAX = 0.05


@dataclass(frozen=True)
class Verdict:
    """One target. `reached` is None where the report does not tell."""

    load: str
    target: str
    measured: str
    reached: bool | None

    @property
    def word(self) -> str:
        return {True: "reached", False: "**not reached**", None: "not measured"}[
            self.reached
        ]


@dataclass(frozen=True)
class Ratio:
    """So many times the requests/s of these peers, each of them; of all, if none is named."""

    load: str
    at_least: float
    peers: tuple[str, ...] = ()

    def judge(self, row: Row | None) -> Verdict:
        told = " and ".join(self.peers) if self.peers else "the best peer"
        target = f"≥ {self.at_least} × {told}"
        if row is None or not subject_of(row).counts:
            return Verdict(self.load, target, "", None)
        names = self.peers or tuple(peer.server.name for peer in peers_of(row))
        found = {
            name: value for name in names if (value := times(row, name)) is not None
        }
        if not found or len(found) < len(self.peers):
            return Verdict(self.load, target, "", None)
        if self.peers:
            measured = ", ".join(
                f"{value:.2f} × {name}" for name, value in found.items()
            )
        else:
            best = min(found, key=lambda name: found[name])
            measured = f"{found[best]:.2f} × {best}"
        return Verdict(
            self.load, target, measured, min(found.values()) >= self.at_least
        )


BOTH = ("granian", "uvicorn")
RATIOS = (
    Ratio("10b", 2.0, ("granian",)),
    Ratio("10b", 3.0, ("uvicorn",)),
    Ratio("10kb", 1.8),
    Ratio("100kb", 1.2),
    Ratio("echo-10kb", 2.0, BOTH),
    Ratio("post-1mb", 1.5, BOTH),
    Ratio("fastapi", 1.8, BOTH),
    Ratio("10b-c1", 1.5, BOTH),
    Ratio("10b-c8", 2.5, BOTH),
    Ratio("10b-log", 5.0, ("uvicorn",)),
    Ratio("chunks-20", 2.5),
    Ratio("10b-py", 1.5, ("granian",)),
    Ratio("tls", 1.8, BOTH),
    Ratio("ws-64b", 3.0, BOTH),
    Ratio("ws-64b-16", 3.0, BOTH),
    Ratio("ws-16kb", 2.0, BOTH),
    Ratio("ws-16kb-16", 2.0, BOTH),
    Ratio("wsgi-10b", 1.5, ("granian",)),
    Ratio("wsgi-10b", 5.0, ("gunicorn",)),
)


def judge(rows: Sequence[Row], footprints: Sequence[Footprint]) -> list[Verdict]:
    """Every target, in the order of the loads."""
    by_name = {row.load.name: row for row in rows}
    verdicts = [ratio.judge(by_name.get(ratio.load)) for ratio in RATIOS]
    verdicts += [
        floor_cpu(by_name),
        lower_p99(by_name, "10b-c1", strictly=True),
        log_cost(by_name),
        least_cpu(by_name),
        lower_p99(by_name, "sleep-c512", strictly=False),
        *footprint_verdicts(footprints),
    ]
    order = {name: number for number, name in enumerate(by_name)}
    return sorted(verdicts, key=lambda verdict: order.get(verdict.load, len(order)))


def summary_of(rows: dict[str, Row], load: str, server: str) -> Summary | None:
    row = rows.get(load)
    entry = entry_of(row, server) if row else None
    return summarise(entry) if entry and entry.counts else None


def peer_summaries(rows: dict[str, Row], load: str) -> dict[str, Summary]:
    row = rows.get(load)
    peers = peers_of(row) if row else []
    return {peer.server.name: summarise(peer) for peer in peers if peer.counts}


def floor_cpu(rows: dict[str, Row]) -> Verdict:
    load, target = "10b", f"CPU ≤ 1.6 × {FLOOR}'s"
    ours, floor = summary_of(rows, load, SUBJECT), summary_of(rows, load, FLOOR)
    if not (ours and floor):
        return Verdict(load, target, "", None)
    ratio = ours.cpu_us_per_request / floor.cpu_us_per_request
    return Verdict(load, target, f"{ratio:.2f} ×", ratio <= 1.6)


def log_cost(rows: dict[str, Row]) -> Verdict:
    load, target = "10b-log", "the log costs < 5 % CPU"
    logged, silent = (summary_of(rows, name, SUBJECT) for name in (load, "10b"))
    if not (logged and silent):
        return Verdict(load, target, "", None)
    cost = logged.cpu_us_per_request / silent.cpu_us_per_request - 1
    return Verdict(load, target, f"{cost:+.1%}", cost < LOG_COST_MAX)


def lower_p99(rows: dict[str, Row], load: str, strictly: bool) -> Verdict:
    """The latency's 99th percentile beside the best peer's."""
    target = (
        "p99 below the best peer's" if strictly else "p99 not above the best peer's"
    )
    return beside_best(
        rows,
        load,
        target,
        lambda found: found.p99_us,
        strictly,
        lambda us: f"{us / 1000:.2f} ms",
    )


def least_cpu(rows: dict[str, Row]) -> Verdict:
    return beside_best(
        rows,
        "sleep-c512",
        "the least CPU per request",
        lambda found: found.cpu_us_per_request,
        True,
        lambda us: f"{us:.1f} µs",
    )


def beside_best(
    rows: dict[str, Row],
    load: str,
    target: str,
    value: Callable[[Summary], float],
    strictly: bool,
    show: Callable[[float], str],
) -> Verdict:
    """A value that is to be lower than that of every peer."""
    ours, peers = summary_of(rows, load, SUBJECT), peer_summaries(rows, load)
    if not (ours and peers):
        return Verdict(load, target, "", None)
    best = min(peers, key=lambda name: value(peers[name]))
    mine, theirs = value(ours), value(peers[best])
    reached = mine < theirs if strictly else mine <= theirs
    return Verdict(load, target, f"{show(mine)}; {best} {show(theirs)}", reached)


def footprint_verdicts(footprints: Sequence[Footprint]) -> Iterator[Verdict]:
    ours, theirs = footprint.of(footprints), footprint.of(footprints, "uvicorn")
    load, target = footprint.IDLE, "≤ 4 KiB for each connection"
    if ours and ours.connection_bytes is not None:
        size = ours.connection_bytes
        yield Verdict(
            load, target, f"{size / 1024:.2f} KiB", size <= CONNECTION_BYTES_MAX
        )
    else:
        yield Verdict(load, target, "", None)
    load = footprint.START
    first, memory = "first answer ≤ 0.6 × uvicorn's", "idle memory not above uvicorn's"
    if ours and theirs and ours.first_answer_s and theirs.first_answer_s:
        ratio = ours.first_answer_s / theirs.first_answer_s
        yield Verdict(load, first, f"{ratio:.2f} ×", ratio <= 0.6)
    else:
        yield Verdict(load, first, "", None)
    if ours and theirs and ours.idle_bytes and theirs.idle_bytes:
        shown = f"{ours.idle_bytes / 2**20:.1f} MiB; uvicorn {theirs.idle_bytes / 2**20:.1f} MiB"
        yield Verdict(load, memory, shown, ours.idle_bytes <= theirs.idle_bytes)
    else:
        yield Verdict(load, memory, "", None)
