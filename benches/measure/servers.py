"""The servers that are compared, and the command line that starts each.

All run in one interpreter, each as one worker process on uvloop where it can, otherwise with its
defaults. A peer that has several modes stands here once for each: the best one counts, and the
report says which were tried.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .failure import Unsupported
from .loads import HELLO

#: The server that the others are compared with.
SUBJECT = "smolcorn"
FLOOR = "nginx"
HOST = "127.0.0.1"
#: Seconds that a server must let a connection be idle, where many are kept.
PATIENT_S = 300
#: Connections that it must hold then.
CROWD = 16_384
#: Threads that call a WSGI application, where a server has only one by itself: smolcorn's number.
WSGI_THREADS = 10


@dataclass(frozen=True)
class Tls:
    """Paths of PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Launch:
    """How a server is to be started."""

    app: str
    port: int
    #: A folder for what the server must find in a file.
    folder: Path
    python: str = sys.executable
    access_log: bool = False
    workers: int = 1
    tls: Tls | None = None
    #: How the application is called: asgi or wsgi.
    interface: str = "asgi"
    #: Whether many idle connections are to be kept for long.
    crowd: bool = False
    #: What the application answers.
    answer: bytes = HELLO

    def module(self, name: str, *options: str) -> list[str]:
        """The command that runs a module of the interpreter."""
        return [self.python, "-m", name, *options]


@dataclass(frozen=True)
class Server:
    """A server in one of its modes."""

    #: Also its distribution's name.
    name: str
    command: Callable[[Launch], list[str]]
    mode: str = ""


def like_uvicorn(name: str, *options: str) -> Callable[[Launch], list[str]]:
    """uvicorn, and a server that has its options."""

    def command(launch: Launch) -> list[str]:
        words = launch.module(
            name, *options, "--host", HOST, "--port", str(launch.port)
        )
        words.append("--access-log" if launch.access_log else "--no-access-log")
        if launch.interface == "wsgi":
            words += ["--interface", "wsgi"]
        if launch.workers > 1:
            words += ["--workers", str(launch.workers)]
        if tls := launch.tls:
            words += [
                "--ssl-certfile",
                str(tls.certificate),
                "--ssl-keyfile",
                str(tls.key),
            ]
        if launch.crowd:
            words += ["--timeout-keep-alive", str(PATIENT_S), "--backlog", str(CROWD)]
        return [*words, launch.app]

    return command


def granian(mode: str) -> Callable[[Launch], list[str]]:
    """With its multi-threaded (mt) or its single-threaded (st) runtime."""

    def command(launch: Launch) -> list[str]:
        words = launch.module("granian", "--interface", launch.interface)
        words += [
            "--loop",
            "uvloop",
            "--runtime-mode",
            mode,
            "--host",
            HOST,
            "--port",
            str(launch.port),
        ]
        words.append("--access-log" if launch.access_log else "--no-access-log")
        if launch.workers > 1:
            words += ["--workers", str(launch.workers)]
        if tls := launch.tls:
            words += [
                "--ssl-certificate",
                str(tls.certificate),
                "--ssl-keyfile",
                str(tls.key),
            ]
        if launch.crowd:
            # The backlog is also how many connections it serves, and the time for a request's
            # head how long a connection may be idle: a minute is the most that it takes.
            words += ["--backlog", str(CROWD), "--http1-header-read-timeout", "60000"]
        return [*words, launch.app]

    return command


def hypercorn(launch: Launch) -> list[str]:
    words = launch.module("hypercorn", "--worker-class", "uvloop")
    words += ["--bind", f"{HOST}:{launch.port}", "--workers", str(launch.workers)]
    if launch.access_log:
        words += ["--access-logfile", "-"]
    if tls := launch.tls:
        words += ["--certfile", str(tls.certificate), "--keyfile", str(tls.key)]
    if launch.crowd:
        words += ["--keep-alive", str(PATIENT_S), "--backlog", str(CROWD)]
    return [*words, launch.app]


def daphne(launch: Launch) -> list[str]:
    """It runs on asyncio's own loop, and logs accesses unless it is told to be silent."""
    if launch.workers > 1:
        raise Unsupported("daphne has no workers")
    words = launch.module("daphne", "--verbosity", "1" if launch.access_log else "0")
    if tls := launch.tls:
        files = f"privateKey={tls.key}:certKey={tls.certificate}"
        words += ["--endpoint", f"ssl:{launch.port}:interface={HOST}:{files}"]
    else:
        words += ["--bind", HOST, "--port", str(launch.port)]
    return [*words, launch.app]


def gunicorn(parser: str) -> Callable[[Launch], list[str]]:
    """With its own ASGI worker, or for WSGI with its threads; on its C parser (fast) or on its
    Python parser (python)."""

    def command(launch: Launch) -> list[str]:
        words = launch.module("gunicorn", "--http-parser", parser)
        if launch.interface == "wsgi":
            words += ["--worker-class", "gthread", "--threads", str(WSGI_THREADS)]
        else:
            words += ["--worker-class", "asgi", "--asgi-loop", "uvloop"]
        words += ["--no-control-socket", "--bind", f"{HOST}:{launch.port}"]
        words += ["--workers", str(launch.workers)]
        if launch.access_log:
            words += ["--access-logfile", "-"]
        if tls := launch.tls:
            words += ["--certfile", str(tls.certificate), "--keyfile", str(tls.key)]
        if launch.crowd:
            words += ["--keep-alive", str(PATIENT_S), "--backlog", str(CROWD)]
            words += ["--worker-connections", str(CROWD)]
        return [*words, launch.app]

    return command


def nginx(launch: Launch) -> list[str]:
    """`return 200`: what an answer costs without an application."""
    program = find_nginx()
    if not program:
        raise Unsupported("nginx is not installed")
    file = launch.folder / f"nginx-{launch.port}.conf"
    file.write_text(nginx_configuration(launch))
    return [program, "-e", "stderr", "-p", str(launch.folder), "-c", str(file)]


def nginx_configuration(launch: Launch) -> str:
    log = str(launch.folder / "access.log") if launch.access_log else "off"
    listen, files = f"{HOST}:{launch.port} backlog=4096", ""
    if tls := launch.tls:
        listen += " ssl"
        files = f"ssl_certificate {tls.certificate}; ssl_certificate_key {tls.key};"
    return f"""
daemon off;
worker_processes {launch.workers};
worker_rlimit_nofile {CROWD + 1000};
pid {launch.folder}/nginx-{launch.port}.pid;
events {{ worker_connections {CROWD}; }}
http {{
  access_log {log};
  keepalive_requests 1000000000;
  keepalive_timeout {PATIENT_S};
  default_type text/plain;
  client_body_temp_path {launch.folder};
  proxy_temp_path {launch.folder};
  fastcgi_temp_path {launch.folder};
  uwsgi_temp_path {launch.folder};
  scgi_temp_path {launch.folder};
  server {{
    listen {listen};
    {files}
    location / {{ return 200 "{launch.answer.decode()}"; }}
  }}
}}
"""


def find_nginx() -> str | None:
    """Its path; it is often installed where only root's PATH leads."""
    return shutil.which("nginx") or shutil.which(
        "nginx", path="/usr/sbin:/usr/local/sbin"
    )


SERVERS = (
    Server(SUBJECT, like_uvicorn("smolcorn", "--loop", "uvloop")),
    Server("granian", granian("st"), "st"),
    Server("granian", granian("mt"), "mt"),
    Server(
        "uvicorn", like_uvicorn("uvicorn", "--loop", "uvloop", "--http", "httptools")
    ),
    Server("hypercorn", hypercorn),
    Server("daphne", daphne),
    Server("gunicorn", gunicorn("fast"), "fast"),
    Server("gunicorn", gunicorn("python"), "python"),
    Server(FLOOR, nginx),
)


def names() -> list[str]:
    return list(dict.fromkeys(server.name for server in SERVERS))


def installed_version(name: str) -> str:
    """Of a distribution in this environment, or of nginx."""
    if name == FLOOR:
        return nginx_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def nginx_version() -> str:
    program = find_nginx()
    if not program:
        return "(not installed)"
    said = subprocess.run([program, "-v"], capture_output=True, text=True).stderr
    found = re.search(r"nginx/([\d.]+)", said)
    return found[1] if found else "(unknown)"
