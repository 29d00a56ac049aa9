"""A process whose only purpose is to serve: from settings to an exit status.

`run` is what the command line calls, in a process of its own or in a worker;
`run_config` is what `smolcorn.run` calls. How a server lives is in server.py.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from smolcorn import environment, worker
from smolcorn.errors import EXIT_ERROR, EXIT_OK, StartupError
from smolcorn.server import Server
from smolcorn.server_config import ServerConfig, SettledConfig

if TYPE_CHECKING:
    from smolcorn.config import Settings

_logger = logging.getLogger("uvicorn.error")


def run(settings: Settings) -> int:
    """Serves as a command line says, and returns the exit status.

    After SIGTERM it does not return: the process dies of the signal when all is done,
    unless somebody handles it.
    """
    worker.join()
    worker.await_turn()
    if status := _attempt(worker.enter_program):
        return status
    if settings.app_dir is not None:
        sys.path.insert(0, settings.app_dir)
    config = SettledConfig(settings)
    try:
        config.configure_logging()
    except StartupError as error:
        if worker.may_complain():
            print(f"ERROR:    {error}", file=sys.stderr)
        worker.report_failure(str(error))
        return error.exit_code
    try:
        settings = environment.complete(settings)
    except StartupError as error:
        return report(error)
    return run_config(SettledConfig(settings))


def run_config(config: ServerConfig) -> int:
    """Serves in this process, and returns the exit status."""
    server = Server(config)
    server.owns_process = True

    def live() -> None:
        if worker.template() is not None:
            from smolcorn import preload

            preload.fork_workers(config)
        server.run()

    return _attempt(live)


def _attempt(work: Callable[[], None]) -> int:
    """The exit status that follows from what `work` does. Errors are reported."""
    try:
        work()
    except StartupError as error:
        return report(error)
    except KeyboardInterrupt:
        return EXIT_OK
    except SystemExit as error:
        from smolcorn.hints import without_our_frames

        without_our_frames(error)
        worker.report_failure("".join(traceback.format_exception(error)))
        return _status_of(error)
    except Exception as error:
        from smolcorn.hints import without_our_frames

        without_our_frames(error)
        if worker.may_complain():
            sys.excepthook(type(error), error, error.__traceback__)
        worker.report_failure("".join(traceback.format_exception(error)))
        return EXIT_ERROR
    return EXIT_OK


def report(error: StartupError) -> int:
    """Logs it, if nobody has, and returns the exit status."""
    if not error.reported:
        if worker.may_complain():
            _logger.error("%s", error)
        worker.report_failure(str(error))
    return error.exit_code


def _status_of(error: SystemExit) -> int:
    """The exit status that Python would give a process that ends with `error`."""
    if error.code is None:
        return EXIT_OK
    if isinstance(error.code, int):
        return error.code
    print(error.code, file=sys.stderr)
    return EXIT_ERROR
