"""Why a server does not start, with the exit status that follows from it."""

from __future__ import annotations

EXIT_OK = 0
"""Stopped as asked."""
EXIT_ERROR = 1
"""The configuration or the application's code is at fault."""
EXIT_USAGE = 2
"""The command line asks for something that does not exist."""
EXIT_STARTUP = 3
"""The application or the sockets could not be had."""


class StartupError(Exception):
    """The server cannot start; the message is one line for the user.

    What `serve()` and `Config` raise is one of the subclasses below. `smolcorn.run` and
    the command line turn it into `exit_code`.
    """

    exit_code: int
    """Status that the process ends with."""
    reported: bool = False
    """Whether the log says it already."""

    def __init__(self, message: str, exit_code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ConfigError(StartupError, ValueError):
    """An option, a variable, or a file of settings says what nothing means."""


class AppError(StartupError):
    """There is no such application, or it is nothing that can be called."""


class LifespanError(StartupError):
    """The application's own start-up has failed, or was given up. Its `__cause__` is what
    the application raised, if it did."""

    reported = True

    def __init__(self, message: str, exit_code: int = EXIT_STARTUP) -> None:
        super().__init__(message, exit_code)


class BindError(StartupError, OSError):
    """The address cannot be had. `errno` is the system's number, if it has one."""

    def __init__(self, error: OSError, *, reported: bool = True) -> None:
        super().__init__(str(error), EXIT_STARTUP)
        self.errno = error.errno
        self.reported = reported
