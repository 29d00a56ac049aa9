"""Requests without end from several clients, while something else happens to the server."""

import threading
from types import TracebackType

from harness.server import Server
from harness.wire import Wire

REQUEST = b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n"
PAUSE_SECONDS = 0.003


class Load:
    """Clients that send one request after the other. What goes wrong is never tried again.

    Half of them keep their connection as long as the server lets them, and half make a new one for
    each request.
    """

    def __init__(self, server: Server, clients: int = 4) -> None:
        self._server = server
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self.failures: list[str] = []
        self.pids: list[int] = []
        """Who answered, in order."""
        self._threads = [
            threading.Thread(target=self._run, args=(number % 2 == 0,), daemon=True)
            for number in range(clients)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.wait_for_answers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if error is None:
            assert not self.failures, self.failures[:5]

    def wait_for_answers(self, count: int = 20) -> None:
        """Waits until so many more requests have been answered."""
        with self._changed:
            wanted = len(self.pids) + count
            assert self._changed.wait_for(
                lambda: len(self.pids) >= wanted or self.failures, 20
            ), "no answers"

    def wait_for_pids(self, count: int, without: set[int] | None = None) -> set[int]:
        """Waits until so many processes that are not in `without` have answered."""
        found: set[int] = set()

        def enough() -> bool:
            found.update(set(self.pids) - (without or set()))
            return len(found) >= count or bool(self.failures)

        with self._changed:
            assert self._changed.wait_for(enough, 40), (found, without)
        assert not self.failures, self.failures[:5]
        return found

    def _run(self, keeps: bool) -> None:
        wire: Wire | None = None
        while not self._stop.wait(PAUSE_SECONDS):
            try:
                wire = wire or self._server.connect()
                response = wire.send(REQUEST).response()
                assert response.status == 200, response.raw
                closes = response.get(b"connection") == b"close"
                if closes or not keeps:
                    wire.close()
                    wire = None
                with self._changed:
                    self.pids.append(int(response.body))
                    self._changed.notify_all()
            except (OSError, AssertionError) as error:
                with self._changed:
                    self.failures.append(f"{error!r}")
                    self._changed.notify_all()
                return
        if wire is not None:
            wire.close()
