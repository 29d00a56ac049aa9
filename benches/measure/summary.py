"""Takes one value from several rounds: medians, spreads, ratios."""

from dataclasses import dataclass
from statistics import median

from .rounds import Entry, Row
from .servers import FLOOR, SUBJECT


@dataclass(frozen=True)
class Summary:
    """A server's medians on one load."""

    requests_per_second: float
    #: Half the distance between the least and the most requests/s, as a share of the median.
    spread: float
    cpu_us_per_request: float
    #: Of it, what the kernel has used.
    system_us_per_request: float
    p50_us: float
    p99_us: float
    memory_bytes: float
    #: The share of its core that the generator used.
    generator_busy: float


def summarise(entry: Entry) -> Summary:
    """The entry must count."""
    turns = entry.turns
    rates = [turn.requests_per_second for turn in turns]
    return Summary(
        requests_per_second=median(rates),
        spread=(max(rates) - min(rates)) / 2 / median(rates),
        cpu_us_per_request=median(turn.cpu_us_per_request for turn in turns),
        system_us_per_request=median(
            turn.cpu.system * 1e6 / turn.counted.requests for turn in turns
        ),
        p50_us=median(turn.counted.p50_us for turn in turns),
        p99_us=median(turn.counted.p99_us for turn in turns),
        memory_bytes=median(turn.memory_bytes for turn in turns),
        generator_busy=median(turn.counted.generator_busy for turn in turns),
    )


def entry_of(row: Row, name: str) -> Entry | None:
    """That server's, if it took part."""
    return next((entry for entry in row.entries if entry.server.name == name), None)


def subject_of(row: Row) -> Entry:
    return next(entry for entry in row.entries if entry.server.name == SUBJECT)


def peers_of(row: Row) -> list[Entry]:
    """All that run the same application; the floor does not."""
    return [entry for entry in row.entries if entry.server.name not in (SUBJECT, FLOOR)]


def ratios(subject: Entry, peer: Entry) -> list[float]:
    """How many times the peer's requests/s the subject did, round by round.

    Empty where one of them does not count. Turns of one round are close in time, so that what
    slows the whole machine for a while does not enter the ratio.
    """
    if not (subject.counts and peer.counts):
        return []
    pairs = zip(subject.turns, peer.turns, strict=True)
    return [
        ours.requests_per_second / theirs.requests_per_second for ours, theirs in pairs
    ]


def times(row: Row, name: str) -> float | None:
    """The median ratio to that peer, if both count."""
    peer = entry_of(row, name)
    found = ratios(subject_of(row), peer) if peer else []
    return median(found) if found else None
