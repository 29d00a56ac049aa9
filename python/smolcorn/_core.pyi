"""The native core. Nothing in it is for applications."""

from asyncio import AbstractEventLoop, Task
from collections.abc import Callable
from contextvars import Context
from typing import Any, Literal, final

from smolcorn.config import Settings

__version__: str

def main(argv: list[str], may_become_other: bool = False) -> int:
    """Runs the command line with these arguments and returns the exit status. Where
    `may_become_other`, the process may become another program instead."""

def defaults() -> dict[str, Any]:
    """The default of every option, by its name in Python."""

def surroundings(given: list[str]) -> dict[str, Any]:
    """What the environment and pyproject.toml set, where the program, which has `given`
    options of these names, leaves it open. Raises ValueError with the text for the
    user."""

def settings(app: str, values: list[tuple[str, list[str]]]) -> Settings:
    """Settings made of options as texts. Raises ValueError with the text for the user."""

def command_line(app: str, values: list[tuple[str, list[str]]]) -> list[str]:
    """The arguments of the command line that say the same."""

def read_env_file(
    path: str, earlier: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[int]]:
    """Variables of the earlier files and of this one, and the numbers of lines that set
    none. Raises ValueError with the text for the user."""

def adopt(settings: Settings, descriptors: list[int]) -> list[Socket]:
    """Listens on sockets that the caller has bound. Raises OSError with the text to
    log."""

def bind(settings: Settings) -> list[Socket]:
    """Binds and listens as the settings say. Raises OSError with the text to log."""

def template() -> Template | None:
    """The process from which workers are forked, if it is this one."""

def worker() -> Worker | None:
    """The supervisor's worker that this process is; None where there is no supervisor."""

@final
class PidFile:
    """A file with the number of this process."""

    def __new__(cls, path: str) -> PidFile:
        """Writes it. Raises OSError with the text to log: also if another process, which
        runs, has it."""
    def remove(self) -> None:
        """Removes it, unless another process has written its own. Harmless if repeated."""

@final
class Template:
    """A process from which workers are forked; what it tells its supervisor, and asks."""

    def fileno(self) -> int:
        """Readable when there is an order."""
    def order(self) -> Literal["fork", "retire", "end"]:
        """The next order, which is waited for."""
    def loaded(self) -> None:
        """Says that the application is imported."""
    def forked(self, pid: int) -> None:
        """Says which process the worker is that was ordered."""
    def not_forked(self, errno: int) -> None:
        """Says that the system has no room for another process."""
    def ended(self, pid: int, status: int) -> None:
        """Says that a worker has ended, with this status of `os.waitpid`."""
    def may_complain(self) -> bool:
        """Whether this process may show why it cannot start."""
    def become_worker(self) -> None:
        """Makes this process, which was forked on an order, a worker. Raises OSError."""

@final
class Worker:
    """A worker process; what it tells its supervisor, and asks."""

    @property
    def stopping(self) -> bool:
        """True when the whole server stops; False when others take over."""
    @property
    def hurried(self) -> bool:
        """True when this worker is to end soon, because nobody serves until it has."""
    @property
    def early(self) -> bool:
        """True while it is not this worker's turn to load the application."""
    @property
    def first(self) -> bool:
        """True if nobody served when this worker was started."""
    def ready(self) -> None:
        """Says that connections are accepted."""
    def await_turn(self) -> None:
        """Returns when it is this worker's turn."""
    def failed(self, text: str) -> None:
        """Says why the application cannot start; the last that is said."""
    def recycle(self) -> None:
        """Asks to be replaced."""
    def leaving(self) -> None:
        """Says that this worker has begun to end, whoever told it to."""
    def may_complain(self) -> bool:
        """Whether this worker, of all that cannot start, is the one to say why."""
    def watch_loop(self, seconds: float, on_blocked: Callable[[float], None]) -> None:
        """From now on `tick()` must come more often than every `seconds`; when it does
        not, `on_blocked(seconds)` is called in a thread of its own."""
    def unwatch_loop(self) -> None:
        """The loop is no longer watched."""
    def tick(self) -> None:
        """Says that the loop runs."""

class ClientDisconnected(OSError):
    """The client is gone: nothing can be sent to it any more."""

@final
class NativeConfig:
    """All settings, as the core has them. Only the core makes one."""

    def with_late_environment(self) -> NativeConfig:
        """Returns it with what WEB_CONCURRENCY and FORWARDED_ALLOW_IPS say, which an
        env file may have set. Raises ValueError with the text for the user."""
    @property
    def workers(self) -> int | None:
        """Processes that serve; None before the late environment was read."""
    @property
    def dropped(self) -> list[str]:
        """Options that mean nothing with as few workers as WEB_CONCURRENCY asks for."""
    @property
    def forwarded_allow_ips(self) -> str | None:
        """Who may set forwarded headers; None before the late environment was read."""
    @property
    def health_path(self) -> str | None:
        """Path that the server answers by itself."""
    def load_tls(self) -> Tls | None:
        """Reads certificates and keys; None without TLS. The first call does it, for all
        that have these settings. Raises ValueError with the text for the user."""

@final
class Tls:
    """The certificates of a server."""

    @property
    def warning(self) -> str | None:
        """What the operator should be told."""
    @property
    def reload_interval(self) -> float | None:
        """Seconds between two looks whether files have changed; None: no looks."""
    def has_changed(self) -> bool:
        """Whether files have changed since they were read, and not since the last look."""
    def reload(self) -> None:
        """Reads all files again; connections that stand are not touched. Raises
        ValueError with the text for the user; then everything is as before."""
    def reconfigure(self, settings: NativeConfig) -> None:
        """The same by what other settings say of TLS."""

@final
class Socket:
    """A listening socket."""

    @property
    def description(self) -> str:
        """For the banner: a URL, `unix socket PATH` or `socket (HOST, PORT)`."""
    def fileno(self) -> int:
        """The descriptor, which stays this object's."""
    def close(self) -> None:
        """Closes it and unlinks the path that it created. Harmless if repeated."""

@final
class FileWrapper:
    """`wsgi.file_wrapper`: a file-like object as an iterable of blocks."""

    def __new__(cls, filelike: Any, block_size: int = ...) -> FileWrapper: ...
    @property
    def filelike(self) -> Any:
        """The object."""
    def __iter__(self) -> FileWrapper: ...
    def __next__(self) -> bytes: ...
    def close(self) -> None:
        """Closes the file, if that can be closed."""

@final
class Call:
    """One call of a WSGI application. Called itself, it is `start_response`."""

    def __call__(
        self,
        status: str,
        response_headers: list[tuple[str, str]],
        exc_info: tuple[Any, Any, Any] | None = None,
    ) -> Callable[[bytes], None]:
        """Begins the response, and returns `write`."""
    def respond(self, result: Any) -> bool:
        """Answers with what the application has returned, if that is a list or a tuple.
        Says whether it was."""
    def send_file(self, file: FileWrapper) -> bool:
        """Answers with a file of the system. False where this is none."""
    def write(self, piece: bytes) -> None:
        """Sends a piece of the body; waits, without the GIL, while too much is unsent.
        Raises ClientDisconnected."""
    def finish(self) -> None:
        """Ends the response."""
    def fail(self, error: BaseException) -> None:
        """The application has raised."""

@final
class Pool:
    """What the threads need that call a WSGI application."""

    @property
    def application(self) -> Callable[..., Any]:
        """The application."""
    @property
    def context(self) -> Context | None:
        """The context of which requests get copies; None: an empty one each."""
    def join(self) -> PoolThread:
        """Makes the calling thread one of the pool."""
    def close(self) -> None:
        """Ends threads that wait, and others when their requests are done."""

@final
class PoolThread:
    """One thread of the pool."""

    def take(self) -> tuple[dict[str, Any], Call] | None:
        """The request before is done. Waits, without the GIL, for the next one; None
        when there will be none."""

@final
class Engine:
    """Listeners, connections and requests of one application on one event loop."""

    def __new__(
        cls,
        settings: Settings,
        event_loop: AbstractEventLoop,
        app: Callable[..., Any],
        state: dict[str, Any] | None,
        on_idle: Callable[[], None],
        on_limit: Callable[[], None],
    ) -> Engine:
        """`on_idle` is called whenever listeners, connections or tasks reach zero;
        `on_limit` once, when `limit_max_requests` requests are completed. Both on the
        loop's thread."""
    def start(self, sockets: list[Socket], hold: bool = False) -> None:
        """Registers with the loop and begins to accept. With `hold` requests wait for
        `admit()`, and the health path says that the server starts."""
    def admit(self) -> None:
        """Lets the application have requests."""
    def answer_signal(self) -> None:
        """Answers SIGUSR1 from now on, by a table of all actors on stderr. Unix only."""
    @property
    def placement(self) -> Literal["fused", "threads", "none"]:
        """Which threads poll the sockets; none before `start()`."""
    @property
    def listeners(self) -> int:
        """Listeners that accept, or have connections left."""
    @property
    def connections(self) -> int:
        """Open connections."""
    @property
    def tasks(self) -> int:
        """Requests whose application has not returned."""
    def running(self) -> list[Task[Any]]:
        """The tasks of these requests."""
    @property
    def requests(self) -> int:
        """Completed requests."""
    def stop(self) -> None:
        """Accepts what waits already, and nothing more; lets each connection finish
        its request, then closes it."""
    def retire(self) -> None:
        """Accepts nothing more, and ends each connection with its next response. What
        waits to be accepted is for other processes that listen on the sockets."""
    def drain(self) -> None:
        """Ends each connection with its next response, and lets the health path say 503.
        Goes on to accept."""
    def disconnect_streams(self) -> None:
        """Tells unfinished requests `http.disconnect`."""
    def cancel_tasks(self, message: str) -> int:
        """Cancels unfinished requests, and returns how many."""
    def abort(self) -> None:
        """Cuts all connections."""
    def close(self) -> None:
        """Ends whatever is left, writes out the access log, joins all threads."""
