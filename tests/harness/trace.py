"""Reads trace files, and holds them against the rules of Chrome's trace event format."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

Event = dict[str, Any]

FIELDS = {
    "X": {"ts", "dur", "name"},
    "i": {"ts", "name", "s"},
    "C": {"ts", "name", "args"},
    "s": {"ts", "name", "cat", "id"},
    "f": {"ts", "name", "cat", "id", "bp"},
    "M": {"name", "args"},
}
"""What an event of each phase must have, beside `ph`, `pid` and `tid`."""


def nanos(value: float) -> int:
    return round(value * 1000)


class Trace:
    """A trace file that keeps to the rules."""

    def __init__(self, path: Path) -> None:
        self.events: list[Event] = json.loads(path.read_text())
        self.names: dict[int, str] = {}
        for event in self.events:
            if event["ph"] == "M" and event["name"] == "thread_name":
                self.names[event["tid"]] = event["args"]["name"]
        self._check_fields()
        self._check_nesting()
        self._check_arrows()

    @property
    def tracks(self) -> set[str]:
        """The names of all tracks."""
        return set(self.names.values())

    def spans(self, track: str, name: str | None = None) -> list[Event]:
        """The spans of a track, in the order of their beginnings."""
        found = [
            event
            for event in self.events
            if event["ph"] == "X"
            and self.names[event["tid"]] == track
            and name in (None, event["name"])
        ]
        return sorted(found, key=lambda event: float(event["ts"]))

    def span(self, track: str, name: str) -> Event:
        """The only such span."""
        (found,) = self.spans(track, name)
        return found

    def instants(self, track: str) -> list[str]:
        """What happened at a point in time."""
        return [
            event["name"]
            for event in self.events
            if event["ph"] == "i" and self.names[event["tid"]] == track
        ]

    def counter(self, name: str) -> list[int]:
        """The values of a counter."""
        return [
            event["args"]["n"]
            for event in self.events
            if event["ph"] == "C" and event["name"] == name
        ]

    def arrows(self) -> list[tuple[str, str]]:
        """From which track to which."""
        ends = {e["id"]: self.names[e["tid"]] for e in self.events if e["ph"] == "f"}
        return [
            (self.names[e["tid"]], ends[e["id"]]) for e in self.events if e["ph"] == "s"
        ]

    def within(self, outer: Event) -> list[Event]:
        """The spans of the same track that lie in a span."""
        begun, ended = _interval(outer)
        return [
            event
            for event in self.spans(self.names[outer["tid"]])
            if event is not outer
            and begun <= _interval(event)[0]
            and _interval(event)[1] <= ended
        ]

    def _check_fields(self) -> None:
        for event in self.events:
            fields = FIELDS[event["ph"]] | {"ph", "pid", "tid"}
            assert fields <= set(event) <= fields | {"args"}, event
            if event["tid"] == 0:
                # It is about the process.
                assert event["ph"] in "MC", event
                if event["ph"] == "C":
                    assert isinstance(event["args"]["n"], int), event
                continue
            assert event["tid"] in self.names, event
            if event["ph"] == "X":
                assert event["dur"] >= 0, event

    def _check_nesting(self) -> None:
        tracks = defaultdict(list)
        for event in self.events:
            if event["ph"] == "X":
                tracks[event["tid"]].append(event)
        for spans in tracks.values():
            spans.sort(key=lambda event: (_interval(event)[0], -_interval(event)[1]))
            open_until: list[int] = []
            for event in spans:
                begun, ended = _interval(event)
                while open_until and open_until[-1] <= begun:
                    open_until.pop()
                assert not open_until or ended <= open_until[-1], event
                open_until.append(ended)

    def _check_arrows(self) -> None:
        starts = {e["id"]: e for e in self.events if e["ph"] == "s"}
        ends = {e["id"]: e for e in self.events if e["ph"] == "f"}
        assert starts.keys() == ends.keys()
        assert len(starts) == sum(e["ph"] == "s" for e in self.events)
        assert len(ends) == sum(e["ph"] == "f" for e in self.events)
        tracks = defaultdict(list)
        for event in self.events:
            if event["ph"] == "X":
                tracks[event["tid"]].append(_interval(event))
        for number, start in starts.items():
            end = ends[number]
            assert start["ts"] <= end["ts"], (start, end)
            assert (start["name"], start["cat"]) == (end["name"], end["cat"])
            for event in (start, end):
                at = nanos(event["ts"])
                assert any(b <= at <= e for b, e in tracks[event["tid"]]), event


def _interval(event: Event) -> tuple[int, int]:
    return nanos(event["ts"]), nanos(event["ts"]) + nanos(event["dur"])
