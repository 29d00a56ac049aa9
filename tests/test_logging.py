"""Log lines to the byte, access lines by every way, and log configurations."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from conftest import Placement, Start
from harness.server import Server
from harness.wire import Wire

APP = "apps.logged:app"


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def ask(server: Server, request: bytes) -> int:
    """Makes one request on a connection of its own, and returns the port it came from."""
    with server.connect() as wire:
        wire.send(request).response()
        return wire.local_port


def access_line(port: int, request: str, status: str) -> str:
    return f'INFO:     127.0.0.1:{port} - "{request}" {status}'


def test_whole_life(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    ports = [ask(server, get("/a?b=c")), ask(server, b"POST /d HTTP/1.0\r\n\r\n")]
    assert server.stop() == 0
    assert server.stderr.text == (
        f"INFO:     Started server process [{server.pid}]\n"
        "INFO:     Waiting for application startup.\n"
        "INFO:     Application startup complete.\n"
        f"INFO:     Smolcorn running on http://127.0.0.1:{server.port} (Press CTRL+C to quit)\n"
        "INFO:     Shutting down\n"
        "INFO:     Waiting for application shutdown.\n"
        "INFO:     Application shutdown complete.\n"
        f"INFO:     Finished server process [{server.pid}]\n"
    )
    assert server.stdout.lines == [
        access_line(ports[0], "GET /a?b=c HTTP/1.1", "200 OK"),
        access_line(ports[1], "POST /d HTTP/1.0", "200 OK"),
    ]


def test_refused_request(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    with server.connect() as wire:
        wire.send(b"bad\r\n\r\n").rest()
    server.stop()
    assert "WARNING:  Invalid HTTP request received." in server.stderr.lines
    assert server.stdout.text == ""


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        ("/", "/"),
        ("/a/b.c_d~e-f", "/a/b.c_d~e-f"),
        ("/a%20b", "/a%20b"),
        ("/a%2fb", "/a/b"),
        ("/x;a=b", "/x%3Ba%3Db"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/%ff", "/%EF%BF%BD"),
        ("/%zz", "/%25zz"),
        ("/a%0d%0aINFO", "/a%0D%0AINFO"),
        ("/%1b[31m", "/%1B%5B31m"),
        ("/a?", "/a"),
        ('/a?b=%20&c="d"', '/a?b=%20&c="d"'),
        ("/a+b@c:d!$&'()*,", "/a%2Bb%40c%3Ad%21%24%26%27%28%29%2A%2C"),
        ("http://other/a?b", "/a?b"),
    ],
)
def test_path_in_the_access_line(start: Start, target: str, logged: str) -> None:
    server = start(APP)
    port = ask(server, get(target))
    server.stop()
    assert server.stdout.lines == [
        access_line(port, f"GET {logged} HTTP/1.1", "200 OK")
    ]


def test_root_path_is_in_the_access_line(start: Start) -> None:
    server = start(APP, "--root-path", "/api")
    port = ask(server, get("/a"))
    server.stop()
    assert server.stdout.lines == [access_line(port, "GET /api/a HTTP/1.1", "200 OK")]


@pytest.mark.parametrize(
    ("code", "logged"),
    [
        (201, "201 Created"),
        (404, "404 Not Found"),
        (500, "500 Internal Server Error"),
        (299, "299 "),
    ],
)
def test_status_in_the_access_line(start: Start, code: int, logged: str) -> None:
    server = start(APP)
    port = ask(server, get(f"/status?code={code}"))
    server.stop()
    assert server.stdout.lines == [
        access_line(port, f"GET /status?code={code} HTTP/1.1", logged)
    ]


def test_client_of_a_proxy_in_the_access_line(start: Start) -> None:
    server = start(APP)
    ask(server, get("/a", "X-Forwarded-For: 1.2.3.4"))
    ask(server, get("/b", "X-Forwarded-For: [2001:db8::1]:5"))
    server.stop()
    assert server.stdout.lines == [
        'INFO:     1.2.3.4:0 - "GET /a HTTP/1.1" 200 OK',
        'INFO:     2001:db8::1:5 - "GET /b HTTP/1.1" 200 OK',
    ]


def test_unix_client_in_the_access_line(start: Start, tmp_path: Path) -> None:
    server = start(APP, "--uds", str(tmp_path / "socket"))
    with server.connect() as wire:
        wire.send(get("/a")).response()
    server.stop()
    assert server.stdout.text == 'INFO:      - "GET /a HTTP/1.1" 200 OK\n'


def test_failed_request_has_an_access_line(start: Start, placement: Placement) -> None:
    server = start("apps.responses:app", *placement.options)
    port = ask(server, get("/fails?when=at-once&how=exception"))
    server.stop()
    line = access_line(
        port,
        "GET /fails?when=at-once&how=exception HTTP/1.1",
        "500 Internal Server Error",
    )
    assert server.stdout.lines == [line]


@pytest.mark.parametrize("last", [signal.SIGINT, signal.SIGTERM])
def test_no_line_is_lost(
    start: Start, placement: Placement, last: signal.Signals
) -> None:
    server = start(APP, *placement.options)
    batches, size = 50, 100
    with server.connect() as wire:
        for batch in range(batches):
            wire.send(
                b"".join(get(f"/{batch * size + number}") for number in range(size))
            )
            for _ in range(size):
                wire.response()
        port = wire.local_port
    server.stop(last)
    assert server.stdout.lines == [
        access_line(port, f"GET /{number} HTTP/1.1", "200 OK")
        for number in range(batches * size)
    ]


def test_lines_come_while_the_server_runs(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    port = ask(server, get("/seen"))
    server.stdout.wait_for(
        "^" + re.escape(access_line(port, "GET /seen HTTP/1.1", "200 OK")) + "$"
    )


def test_no_access_log(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--no-access-log")
    ask(server, get("/a"))
    server.stop()
    assert server.stdout.text == ""
    assert "INFO:     Shutting down" in server.stderr.lines


# --- The access logger in the application's hands -----------------------------------------------


def test_filter_of_the_application(start: Start, placement: Placement) -> None:
    server = start("apps.logged:filtered", *placement.options)
    ask(server, get("/health"))
    port = ask(server, get("/other"))
    ask(server, get("/healthz?x"))
    server.stop()
    assert server.stdout.lines == [access_line(port, "GET /other HTTP/1.1", "200 OK")]


def test_filter_that_comes_and_goes(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    paths = [
        "/health1",
        "/add-filter",
        "/health2",
        "/other",
        "/remove-filter",
        "/health3",
    ]
    for path in paths:
        ask(server, get(path))
    server.stop()
    logged = [line.split()[4] for line in server.stdout.lines]
    assert logged == ["/health1", "/add-filter", "/other", "/remove-filter", "/health3"]


def test_formatter_that_is_replaced(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    first = ask(server, get("/set-format"))
    second = ask(server, get("/after"))
    server.stop()
    assert server.stdout.lines == [
        access_line(first, "GET /set-format HTTP/1.1", "200 OK"),
        f'access INFO 127.0.0.1:{second} - "GET /after HTTP/1.1" 200',
    ]


def test_method_of_all_loggers_that_is_replaced_at_import(
    start: Start, placement: Placement
) -> None:
    server = start("apps.logged_by_others:app", *placement.options)
    ask(server, get("/first"))
    assert server.reported("seen") == "/first"


def test_level_that_is_raised(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    port = ask(server, get("/raise-level"))
    ask(server, get("/after"))
    server.stop()
    assert server.stdout.lines == [
        access_line(port, "GET /raise-level HTTP/1.1", "200 OK")
    ]


def test_records_for_a_handler_of_the_application(
    start: Start, placement: Placement
) -> None:
    server = start("apps.logged:collected", *placement.options)
    port = ask(server, get("/a%20b?c=d"))
    assert server.reported("record") == [
        "uvicorn.access",
        20,
        '%s - "%s %s HTTP/%s" %d',
        [f"127.0.0.1:{port}", "GET", "/a%20b?c=d", "1.1", 200],
        ["str", "str", "str", "str", "int"],
    ]
    server.stop()
    # The handler that was there writes its line as before.
    assert server.stdout.lines == [
        access_line(port, "GET /a%20b?c=d HTTP/1.1", "200 OK")
    ]


# --- Levels and colours -------------------------------------------------------------------------


def served_silently(launch: Start, *options: str, **settings: Any) -> Server:
    """Runs a server that need not say anything: its socket was made before."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        server = launch(
            APP, "--fd", str(number), *options, pass_fds=[number], **settings
        )
        server.address = listening.getsockname()
        ask(server, get("/a"))
    return server


@pytest.mark.parametrize("level", ["critical", "error", "warning"])
def test_levels_above_info_silence_everything(launch: Start, level: str) -> None:
    server = served_silently(launch, "--log-level", level)
    server.stop()
    assert (server.stdout.text, server.stderr.text) == ("", "")


def test_level_warning_keeps_warnings(launch: Start) -> None:
    server = served_silently(launch, "--log-level", "warning")
    with server.connect() as wire:
        wire.send(b"bad\r\n\r\n").rest()
    server.stop()
    assert server.stderr.text == "WARNING:  Invalid HTTP request received.\n"


@pytest.mark.parametrize("level", ["info", "debug", "trace"])
def test_levels_from_info_on_show_access_lines(start: Start, level: str) -> None:
    server = start(APP, "--log-level", level)
    port = ask(server, get("/a"))
    server.stop()
    assert access_line(port, "GET /a HTTP/1.1", "200 OK") in server.stdout.lines


def test_trace_shows_messages_and_actors(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--log-level", "trace")
    with server.connect() as wire:
        wire.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        ).response()
        port = wire.local_port
    server.stderr.wait_for(f"127.0.0.1:{port} - HTTP connection lost")
    server.stop()
    lines = [line for line in server.stderr.lines if line.startswith("TRACE:    ")]

    def has(pattern: str) -> bool:
        return any(re.fullmatch(f"TRACE:    {pattern}", line) for line in lines)

    client = rf"(?:.* )?127\.0\.0\.1:{port} - "
    assert has(client + "HTTP connection made")
    assert has(client + "HTTP connection lost")
    number = next(
        int(m[1])
        for line in lines
        if (m := re.search(r"ASGI \[(\d+)\] Started scope=\{'type': 'http'", line))
    )
    call = rf"{client}ASGI \[{number}\] "
    assert has(call + r"Started scope=\{'type': 'http',.*'headers': '<\.\.\.>'.*\}")
    assert has(
        call
        + r"Send \{'type': 'http\.response\.start', 'status': 200, 'headers': '<\.\.\.>'\}"
    )
    assert has(call + r"Send \{'type': 'http\.response\.body', 'body': '<2 bytes>'.*\}")
    assert has(call + "Completed")
    assert has(r"ASGI \[1\] Started scope=\{'type': 'lifespan'.*\}")


def test_trace_lines_carry_the_names_of_actors(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options, "--log-level", "trace")
    for _ in range(2):
        ask(server, get("/a"))
    server.stop()
    for actor in ("listener#1", "connection#1", "connection#2"):
        assert re.search(
            rf"^TRACE:    .*\b{actor}\b", server.stderr.text, re.MULTILINE
        ), actor


def test_colours(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--use-colors")
    port = ask(server, get("/a"))
    missing = ask(server, get("/status?code=404"))
    with server.connect() as wire:
        wire.send(b"bad\r\n\r\n").rest()
    server.stop()
    info = "\x1b[32mINFO\x1b[0m:     "
    assert server.stdout.text == (
        f'{info}127.0.0.1:{port} - "\x1b[1mGET /a HTTP/1.1\x1b[0m" \x1b[32m200 OK\x1b[0m\n'
        f'{info}127.0.0.1:{missing} - "\x1b[1mGET /status?code=404 HTTP/1.1\x1b[0m" \x1b[31m404 Not Found\x1b[0m\n'
    )
    lines = server.stderr.lines
    assert lines[0] == f"{info}Started server process [\x1b[36m{server.pid}\x1b[0m]"
    assert lines[1] == f"{info}Waiting for application startup."
    assert lines[3] == (
        f"{info}Smolcorn running on \x1b[1mhttp://127.0.0.1:{server.port}\x1b[0m (Press CTRL+C to quit)"
    )
    assert "\x1b[33mWARNING\x1b[0m:  Invalid HTTP request received." in lines


# --- Configurations -----------------------------------------------------------------------------

CONFIGURATION: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "server": {"format": "S %(levelname)s %(name)s %(message)s"},
        "request": {
            "()": "uvicorn.logging.AccessFormatter",
            "fmt": "R %(client_addr)s %(request_line)s %(status_code)s",
        },
    },
    "handlers": {
        "server": {
            "class": "logging.StreamHandler",
            "formatter": "server",
            "stream": "ext://sys.stdout",
        },
        "request": {
            "class": "logging.StreamHandler",
            "formatter": "request",
            "stream": "ext://sys.stderr",
        },
    },
    "loggers": {
        "uvicorn": {"handlers": ["server"], "level": "INFO", "propagate": False},
        "uvicorn.access": {
            "handlers": ["request"],
            "level": "INFO",
            "propagate": False,
        },
    },
}
INI = """\
[loggers]
keys = root, server, request

[handlers]
keys = server, request

[formatters]
keys = server, request

[logger_root]
handlers =

[logger_server]
qualname = uvicorn
handlers = server
level = INFO
propagate = 0

[logger_request]
qualname = uvicorn.access
handlers = request
level = INFO
propagate = 0

[handler_server]
class = StreamHandler
formatter = server
args = (sys.stdout,)

[handler_request]
class = StreamHandler
formatter = request
args = (sys.stderr,)

[formatter_server]
format = S %(levelname)s %(name)s %(message)s

[formatter_request]
class = uvicorn.logging.AccessFormatter
format = R %(client_addr)s %(request_line)s %(status_code)s
"""


def as_toml(table: dict[str, Any], prefix: str = "") -> str:
    """The little of TOML that the configuration needs."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    text = f"[{prefix}]\n" if prefix and plain else ""
    text += "".join(
        f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in plain.items()
    )
    for key, value in table.items():
        if isinstance(value, dict):
            quoted = json.dumps(key)
            text += as_toml(value, f"{prefix}.{quoted}" if prefix else quoted)
    return text


def as_yaml(table: dict[str, Any]) -> str:
    import yaml

    text = yaml.safe_dump(table)
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("suffix", ["json", "yaml", "yml", "toml", "ini", "conf"])
def test_configuration_from_a_file(launch: Start, tmp_path: Path, suffix: str) -> None:
    texts = {
        "json": lambda: json.dumps(CONFIGURATION),
        "yaml": lambda: as_yaml(CONFIGURATION),
        "yml": lambda: as_yaml(CONFIGURATION),
        "toml": lambda: as_toml(CONFIGURATION),
    }
    path = tmp_path / f"logging.{suffix}"
    path.write_text(texts.get(suffix, lambda: INI)())
    server = served_silently(launch, "--log-config", str(path))
    server.stop()
    assert "S INFO uvicorn.error Application startup complete." in server.stdout.lines
    assert re.fullmatch(
        r"R 127\.0\.0\.1:\d+ GET /a HTTP/1\.1 200 OK\n", server.stderr.text
    )


def test_ordinary_formatter_for_access_lines(start: Start, tmp_path: Path) -> None:
    configuration = json.loads(json.dumps(CONFIGURATION))
    configuration["formatters"] = {
        "server": {"format": "%(message)s"},
        "request": {"format": "%(message)s"},
    }
    configuration["handlers"]["server"]["stream"] = "ext://sys.stderr"
    configuration["handlers"]["request"]["stream"] = "ext://sys.stdout"
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(configuration))
    server = start(APP, "--log-config", str(path))
    port = ask(server, get("/a"))
    server.stop()
    assert server.stdout.text == f'127.0.0.1:{port} - "GET /a HTTP/1.1" 200\n'
    assert server.stderr.lines[0] == f"Started server process [{server.pid}]"


def test_configuration_with_a_file_for_access_lines(
    start: Start, tmp_path: Path
) -> None:
    configuration = json.loads(json.dumps(CONFIGURATION))
    configuration["handlers"]["server"]["stream"] = "ext://sys.stderr"
    log = tmp_path / "access.log"
    configuration["handlers"]["request"] = {
        "class": "logging.FileHandler",
        "filename": str(log),
        "formatter": "request",
    }
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(configuration))
    server = start(APP, "--log-config", str(path))
    port = ask(server, get("/a"))
    server.stop()
    assert log.read_text() == f"R 127.0.0.1:{port} GET /a HTTP/1.1 200 OK\n"
    assert server.stdout.text == ""


def test_log_level_wins_over_the_configuration(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(CONFIGURATION))
    server = served_silently(
        launch, "--log-config", str(path), "--log-level", "warning"
    )
    server.stop()
    assert (server.stdout.text, server.stderr.text) == ("", "")


def test_wire_is_not_kept_by_a_log_that_nobody_reads(
    start: Start, placement: Placement
) -> None:
    # What an application prints and what the server logs share stdout, line by line.
    server = start(APP, *placement.options)
    wires: list[Wire] = [server.connect() for _ in range(10)]
    for wire in wires:
        wire.send(get("/a") * 100)
    for wire in wires:
        assert [wire.response().status for _ in range(100)] == [200] * 100
    server.stop()
    assert len(server.stdout.lines) == 1000
    assert all(
        re.fullmatch(r'INFO:     127\.0\.0\.1:\d+ - "GET /a HTTP/1\.1" 200 OK', line)
        for line in server.stdout.lines
    )
