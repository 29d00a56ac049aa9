"""The threads that call a WSGI application.

What surrounds the call is native: the queue, the environ, the response. The call itself
is made here, so that a thread that is still in the application when the process ends
has nothing but Python below it.
"""

from __future__ import annotations

import contextvars
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from smolcorn._core import FileWrapper

if TYPE_CHECKING:
    from smolcorn._core import Call, Pool

END_SECONDS = 0.5
"""How long the end waits for threads; those in the application are left behind."""


class Threads:
    """The threads of a pool."""

    def __init__(self, pool: Pool, count: int) -> None:
        self._pool = pool
        self._threads = [
            # Daemons: an application that never returns must not keep the process.
            threading.Thread(
                target=_work, args=(pool,), name=f"wsgi-{number}", daemon=True
            )
            for number in range(1, count + 1)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends the threads that wait, and gives the others a little time."""
        self._pool.close()
        deadline = time.monotonic() + END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def start(pool: Pool, *, count: int) -> Threads:
    """Starts the threads. The native engine calls it."""
    return Threads(pool, count)


def _work(pool: Pool) -> None:
    """The life of a thread."""
    app = pool.application
    take = pool.join().take
    context = pool.context
    fresh = contextvars.Context if context is None else context.copy
    while (request := take()) is not None:
        try:
            fresh().run(_serve, app, *request)
        except BaseException:
            # Not even a fault of ours costs the pool a thread.
            traceback.print_exc()
        # Nothing of it shall live until the next one comes.
        del request


def _serve(app: Any, environ: dict[str, Any], call: Call) -> None:
    """One request."""
    try:
        result = app(environ, call)
        if call.respond(result):
            return
        try:
            if type(result) is not FileWrapper or not call.send_file(result):
                write = call.write
                for piece in result:
                    write(piece)
                call.finish()
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
    except BaseException as error:
        # SystemExit too: a thread of the pool goes on.
        call.fail(error)
