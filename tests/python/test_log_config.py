from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from smolcorn import config
from smolcorn.config import configure_logging
from smolcorn.errors import StartupError
from smolcorn.logging import AccessFormatter, ColourizedFormatter, DefaultFormatter

from .fake_core import settings

ERROR = logging.getLogger("uvicorn.error")
ACCESS = logging.getLogger("uvicorn.access")
SERVER = logging.getLogger("uvicorn")

# Names uvicorn's classes, as configurations in the wild do.
MAPPING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {
            "()": "uvicorn.logging.DefaultFormatter",
            "fmt": "mine %(levelprefix)s %(message)s",
            "use_colors": False,
        }
    },
    "handlers": {"default": {"class": "logging.StreamHandler", "formatter": "default"}},
    "loggers": {"uvicorn": {"handlers": ["default"], "level": "WARNING"}},
}

YAML = """
version: 1
formatters:
  default: {"()": uvicorn.logging.DefaultFormatter, fmt: "mine %(message)s"}
handlers:
  default: {class: logging.StreamHandler, formatter: default}
loggers:
  uvicorn: {handlers: [default], level: WARNING}
"""

TOML = """
version = 1
[formatters.default]
"()" = "uvicorn.logging.DefaultFormatter"
fmt = "mine %(message)s"
[handlers.default]
class = "logging.StreamHandler"
formatter = "default"
[loggers.uvicorn]
handlers = ["default"]
level = "WARNING"
"""

INI = """
[loggers]
keys=root,server
[handlers]
keys=out
[formatters]
keys=mine
[logger_root]
handlers=
[logger_server]
qualname=uvicorn
level=WARNING
handlers=out
[handler_out]
class=StreamHandler
args=(sys.stderr,)
formatter=mine
[formatter_mine]
class=uvicorn.logging.DefaultFormatter
format=mine %(message)s
"""


def formatter(logger: logging.Logger) -> logging.Formatter | None:
    return logger.handlers[0].formatter


@pytest.fixture(autouse=True)
def untouched_root() -> Any:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers, root.level = before


@pytest.fixture
def no_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.setitem(sys.modules, "uvicorn.logging", None)


def test_the_built_in_configuration() -> None:
    configure_logging(settings())
    assert type(formatter(SERVER)) is DefaultFormatter
    assert type(formatter(ACCESS)) is AccessFormatter
    assert SERVER.handlers[0].stream is sys.stderr  # type: ignore[attr-defined]
    assert ACCESS.handlers[0].stream is sys.stdout  # type: ignore[attr-defined]
    assert (SERVER.level, ERROR.level, ACCESS.level) == (20, 20, 20)
    assert (SERVER.propagate, ERROR.propagate, ACCESS.propagate) == (
        False,
        True,
        False,
    )
    assert logging.getLevelName(5) == "TRACE"


def test_the_dictionary_may_be_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    formatters = config.LOGGING_CONFIG["formatters"]
    monkeypatch.setitem(formatters["access"], "fmt", "edited %(message)s")
    configure_logging(settings())
    shown = formatter(ACCESS)
    assert shown is not None and shown._fmt == "edited %(message)s"


@pytest.mark.parametrize("use_colors", [True, False])
def test_use_colors(use_colors: bool) -> None:
    configure_logging(settings(use_colors=use_colors))
    for logger in (SERVER, ACCESS):
        shown = formatter(logger)
        assert isinstance(shown, (DefaultFormatter, AccessFormatter))
        assert shown.use_colors is use_colors
    assert config.LOGGING_CONFIG["formatters"]["default"]["use_colors"] is None


def test_use_colors_needs_no_formatter_of_that_name() -> None:
    bare = {"version": 1, "disable_existing_loggers": False}
    configure_logging(settings(log_config=bare, use_colors=True))
    plain = {"formatters": {"default": {"format": "%(message)s"}}, **bare}
    configure_logging(settings(log_config=plain, use_colors=True))


@pytest.mark.parametrize(("name", "number"), [("trace", 5), ("WARNING", 30), (17, 17)])
def test_log_level(name: str | int, number: int) -> None:
    configure_logging(settings(log_level=name))
    assert (ERROR.level, ACCESS.level) == (number, number)
    assert logging.getLogger("uvicorn.asgi").level == number


def test_unknown_log_level() -> None:
    with pytest.raises(StartupError, match=r"Unknown log level 'loud'\. The levels"):
        configure_logging(settings(log_level="loud"))


def test_no_access_log() -> None:
    configure_logging(settings(access_log=False))
    assert ACCESS.handlers == []
    assert not ACCESS.propagate
    assert not ACCESS.hasHandlers()


def test_a_mapping(no_uvicorn: None) -> None:
    configure_logging(settings(log_config=MAPPING, use_colors=True))
    shown = formatter(SERVER)
    assert type(shown) is DefaultFormatter
    assert shown.use_colors
    assert MAPPING["formatters"]["default"]["use_colors"] is False


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".json", json.dumps(MAPPING)),
        (".yaml", YAML),
        (".yml", YAML),
        (".toml", TOML),
        (".ini", INI),
        (".conf", INI),
    ],
)
def test_files(suffix: str, text: str, tmp_path: Path, no_uvicorn: None) -> None:
    if suffix in (".yaml", ".yml"):
        pytest.importorskip("yaml")
    if suffix == ".toml" and sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    path = tmp_path / f"log{suffix}"
    path.write_text(text)
    configure_logging(settings(log_config=str(path)))
    shown = formatter(SERVER)
    assert type(shown) is DefaultFormatter
    assert shown._fmt is not None and shown._fmt.startswith("mine ")
    assert SERVER.level == logging.WARNING


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.json", "{", "Expecting property name"),
        ("a.json", "[]", "it holds no mapping"),
        ("a.json", "{}", "dictionary doesn't specify a version"),
        (
            "a.json",
            '{"version":1,"formatters":{"f":{"()":"no_such.Formatter"}}}',
            "Unable to configure formatter 'f': Cannot resolve 'no_such.Formatter': "
            "No module named 'no_such'",
        ),
        ("a.toml", "x", "Expected '=' after a key"),
        ("a.ini", "nothing", "File contains no section headers."),
        ("a.ini", "", "it is empty"),
        ("a.ini", "[loggers]\n", "KeyError: 'formatters'"),
    ],
)
def test_errors_are_one_line_that_names_the_file(
    name: str, text: str, what: str, tmp_path: Path
) -> None:
    if name == "a.toml" and sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(StartupError) as caught:
        configure_logging(settings(log_config=str(path)))
    message = str(caught.value)
    assert message.startswith(f"Error in log config '{path}': ")
    assert what in message
    assert "\n" not in message
    assert caught.value.exit_code == 1


def test_a_missing_file(tmp_path: Path) -> None:
    path = str(tmp_path / "none.json")
    with pytest.raises(StartupError, match="No such file or directory"):
        configure_logging(settings(log_config=path))


def test_an_error_in_a_mapping() -> None:
    with pytest.raises(StartupError, match="Error in logging configuration: "):
        configure_logging(settings(log_config={"version": 2}))


@pytest.mark.parametrize(
    ("suffix", "module", "what"),
    [(".yaml", "yaml", "PyYAML"), (".toml", "tomli", "tomli")],
)
def test_missing_parsers(
    suffix: str,
    module: str,
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if module == "tomli" and sys.version_info >= (3, 11):
        pytest.skip("Python brings its own parser")
    monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / f"a{suffix}"
    path.write_text("")
    with pytest.raises(StartupError, match=f"Install the {what} package"):
        configure_logging(settings(log_config=str(path)))


def look(logger: logging.Logger) -> dict[str, Any]:
    """What a configuration sets of a logger."""
    return {
        "level": logger.level,
        "propagate": logger.propagate,
        "disabled": logger.disabled,
        "handlers": [
            (type(handler), handler.name, handler.level, vars(handler)["stream"])
            for handler in logger.handlers
        ],
        "formatters": [
            (type(formatter), formatter._fmt, formatter.datefmt, formatter.use_colors)
            for handler in logger.handlers
            if isinstance(formatter := handler.formatter, ColourizedFormatter)
        ],
    }


@pytest.mark.parametrize("use_colors", [None, True, False])
def test_the_default_is_what_logging_config_makes_of_it(
    use_colors: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging.config

    looks = []
    for is_there in (True, False):
        for logger in (SERVER, ERROR, ACCESS):
            logger.handlers = [logging.NullHandler()]
            logger.propagate = logger is not ERROR
            logger.level, logger.disabled = logging.ERROR, True
        if not is_there:
            # Who has not imported it goes another way.
            monkeypatch.delitem(sys.modules, "logging.config")
        configure_logging(settings(use_colors=use_colors))
        assert ("logging.config" in sys.modules) == is_there
        looks.append([look(logger) for logger in (SERVER, ERROR, ACCESS)])
    assert looks[0] == looks[1]
    assert [len(each["formatters"]) for each in looks[0]] == [1, 0, 1]


def test_a_default_that_somebody_has_edited_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import logging.config

    monkeypatch.delitem(sys.modules, "logging.config")
    monkeypatch.setitem(config.LOGGING_CONFIG["loggers"]["uvicorn"], "level", "ERROR")
    configure_logging(settings())
    assert SERVER.level == logging.ERROR
