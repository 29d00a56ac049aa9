"""Collects what a process writes to a pipe, and lets a test wait for a text in it."""

import os
import re
import threading
from collections.abc import Callable
from typing import TypeVar

from harness.deadline import DEADLINE_SECONDS, Deadline

Found = TypeVar("Found")
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Output:
    """Everything that came out of one pipe so far. A thread reads it until its end."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor
        self._data = bytearray()
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._collect, name=f"collect {name}", daemon=True
        )
        self._thread.start()

    def _collect(self) -> None:
        while True:
            piece = os.read(self._descriptor, 65536)
            with self._changed:
                self._data += piece
                self._ended = not piece
                self._changed.notify_all()
            if not piece:
                os.close(self._descriptor)
                return

    @property
    def bytes(self) -> bytes:
        """What came so far."""
        with self._changed:
            return bytes(self._data)

    @property
    def text(self) -> str:
        """What came so far, as text."""
        return self.bytes.decode("utf-8", "replace")

    @property
    def lines(self) -> list[str]:
        """The lines that came so far, without their ends."""
        return self.text.splitlines()

    def size(self) -> int:
        """Number of bytes so far."""
        with self._changed:
            return len(self._data)

    def since(self, offset: int) -> str:
        """What came after the first `offset` bytes."""
        return self.bytes[offset:].decode("utf-8", "replace")

    def wait_for(
        self, pattern: str, *, start: int = 0, seconds: float = DEADLINE_SECONDS
    ) -> re.Match[str]:
        """Waits until `pattern` is found behind byte `start`, and returns the match. Colours do not count."""
        wanted = re.compile(pattern, re.MULTILINE)
        return self.wait_until(
            lambda said: wanted.search(
                ANSI_COLOUR.sub("", said[start:].decode("utf-8", "replace"))
            ),
            repr(pattern),
            seconds,
        )

    def wait_until(
        self,
        find: Callable[[bytearray], Found | None],
        what: str,
        seconds: float = DEADLINE_SECONDS,
    ) -> Found:
        """Waits until `find` finds something in what came so far, and returns that."""
        deadline = Deadline(seconds)
        with self._changed:
            while (found := find(self._data)) is None:
                assert not self._ended, f"{self.name} ended without {what}"
                assert self._changed.wait(deadline.left()), (
                    f"{self.name}: no {what} in {seconds} s"
                )
        return found

    def wait_for_end(self, seconds: float = DEADLINE_SECONDS) -> None:
        """Waits until every writer has closed the pipe."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), (
            f"{self.name} is still open after {seconds} s"
        )
