"""Which callables are taken for which kind of application."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

import pytest

from smolcorn.errors import StartupError
from smolcorn.interfaces import (
    Application,
    detect_interface,
    load_application,
)

from .conftest import Lines
from .fake_core import settings


async def coroutine_function(scope: Any, receive: Any, send: Any) -> None: ...


def returns_coroutine(scope: Any, receive: Any, send: Any) -> Any:
    return coroutine_function(scope, receive, send)


def returns_instance(scope: Any) -> Any:
    async def instance(receive: Any, send: Any) -> str:
        return f"{scope} {receive} {send}"

    return instance


async def with_a_setting(setting: Any, scope: Any, receive: Any, send: Any) -> None: ...


def plain_decorator(function: Any) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def honest_decorator(function: Any) -> Any:
    return functools.wraps(function)(plain_decorator(function))


def async_decorator(function: Any) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


class Object:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...


class SyncObject:
    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return coroutine_function(scope, receive, send)


class Awaitable:
    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def __await__(self) -> Any:
        yield from ()


class Instance:
    def __init__(self, scope: Any) -> None: ...

    async def __call__(self, receive: Any, send: Any) -> None: ...


class InjectsAnArgument:
    """A decorator whose `__wrapped__` takes one argument more than it does itself."""

    def __init__(self) -> None:
        self.__wrapped__ = with_a_setting

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


KINDS: dict[str, tuple[Any, str]] = {
    "coroutine function": (coroutine_function, "asgi3"),
    "object": (Object(), "asgi3"),
    "method": (Object().method, "asgi3"),
    "partial": (functools.partial(with_a_setting, 1), "asgi3"),
    "partial of an object": (functools.partial(Object()), "asgi3"),
    "async decorator": (async_decorator(coroutine_function), "asgi3"),
    "injects an argument": (InjectsAnArgument(), "asgi3"),
    "sync function": (returns_coroutine, "asgi3"),
    "sync object": (SyncObject(), "asgi3"),
    "plain decorator": (plain_decorator(coroutine_function), "asgi3"),
    "honest decorator": (honest_decorator(coroutine_function), "asgi3"),
    "decorated sync function": (honest_decorator(returns_coroutine), "asgi3"),
    "decorated object": (honest_decorator(Object()), "asgi3"),
    "partial of a decorated function": (
        functools.partial(honest_decorator(coroutine_function)),
        "asgi3",
    ),
    "class with __await__": (Awaitable, "asgi3"),
    "function of a scope": (returns_instance, "asgi2"),
    "decorated function of a scope": (
        honest_decorator(returns_instance),
        "asgi2",
    ),
    "class of a scope": (Instance, "asgi2"),
    "partial of a class": (functools.partial(Instance), "asgi2"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    app, interface = KINDS[kind]
    assert detect_interface(app, "m:app") == interface


@pytest.mark.skipif(
    not hasattr(inspect, "markcoroutinefunction"), reason="new in Python 3.12"
)
def test_a_marked_function_is_asynchronous() -> None:
    marked = inspect.markcoroutinefunction(  # type: ignore[attr-defined,unused-ignore]
        plain_decorator(coroutine_function)
    )
    assert detect_interface(marked, "m:app") == "asgi3"


def wsgi(environ: Any, start_response: Any) -> Any: ...


def wsgi_with_more(environ: Any, start_response: Any, more: Any = None) -> Any: ...


def wsgi_in_other_words(env: Any, start: Any) -> Any: ...


class WSGIClass:
    """Made for each request, and walked through (PEP 3333)."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...


class WSGIObject:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


def wsgi_of_a_request(env: Any, sr: Any, *, debug: bool = False) -> Any: ...


class Named:
    """Stands for a framework's class, of which a subclass names its arguments at will."""

    def __call__(self, first: Any, second: Any) -> Any: ...


class OfAFramework(Named): ...


Named.__module__, Named.__qualname__ = "flask.app", "Flask"


class AsynchronousOfAFramework(Named):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...  # type: ignore[override]


WSGI_KINDS = {
    "function": wsgi,
    "function with more": wsgi_with_more,
    "function in other words": wsgi_in_other_words,
    "function with options": wsgi_of_a_request,
    "object": WSGIObject(),
    "class": WSGIClass,
    "method": WSGIObject().__call__,
    "decorated function": honest_decorator(wsgi),
    "partial": functools.partial(wsgi_with_more, more=1),
    "object of a framework": OfAFramework(),
}


@pytest.mark.parametrize("kind", WSGI_KINDS)
def test_kinds_of_wsgi(kind: str) -> None:
    assert detect_interface(WSGI_KINDS[kind], "m:app") == "wsgi"


def test_an_asynchronous_object_of_a_framework_is_no_wsgi() -> None:
    assert detect_interface(AsynchronousOfAFramework(), "m:app") == "asgi3"


def of_two(first: Any, second: Any) -> None: ...


def of_a_half(environ: Any, send: Any) -> None: ...


@pytest.mark.parametrize(
    ("app", "parameters"),
    [(of_two, "(first, second)"), (of_a_half, "(environ, send)")],
)
def test_two_parameters_that_say_nothing(app: Any, parameters: str) -> None:
    with pytest.raises(StartupError) as caught:
        detect_interface(app, "m:app")
    assert str(caught.value) == (
        'ASGI app "m:app" must take (scope, receive, send), but its parameters are '
        f"{parameters}. For a WSGI application, say '--interface wsgi'."
    )
    assert caught.value.exit_code == 1


async def of_a_scope(scope: Any) -> None: ...


async def without_parameters() -> None: ...


def of_four(a: Any, b: Any, c: Any, d: Any) -> None: ...


def of_eight(
    a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any
) -> None: ...


@pytest.mark.parametrize(
    ("app", "parameters"),
    [
        (of_a_scope, "(scope)"),
        (without_parameters, "()"),
        (of_eight, "(a, b, c, d, e, f, ...)"),
        (of_four, "(a, b, c, d)"),
    ],
)
def test_other_parameters_are_refused(app: Any, parameters: str) -> None:
    with pytest.raises(StartupError) as caught:
        detect_interface(app, "m:app")
    assert str(caught.value) == (
        'ASGI app "m:app" must take (scope, receive, send), but its parameters are '
        f"{parameters}."
    )


def test_an_object_that_claims_endless_layers() -> None:
    class Endless:
        @property
        def __wrapped__(self) -> Endless:
            return Endless()

        def __call__(self, scope: Any, receive: Any, send: Any) -> Any: ...

    assert detect_interface(Endless(), "m:app") == "asgi3"


# Loading by name, from this module.


def load(name: str, **options: Any) -> Application:
    return load_application(settings(f"{__name__}:{name}", **options))


the_answer = 5
wsgi_object = WSGIObject()


def factory() -> Any:
    return coroutine_function


def factory_with_options(debug: bool = False, **more: Any) -> Any:
    return Object()


def factory_of_three(a: int = 1, b: int = 2, c: int = 3) -> Any:
    return coroutine_function


def factory_in_error() -> Any:
    return len(None)  # type: ignore[arg-type]


def factory_that_raises() -> Any:
    raise LookupError("no database")


def factory_of_nothing() -> Any:
    return None


class Unmade:
    """An application class that nobody has instantiated."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


passes_on_anything = plain_decorator(coroutine_function)
awaits_anything = async_decorator(coroutine_function)
calls: list[str] = []


def checked(*args: Any) -> Any:
    assert len(args) == 2, "Two arguments required"


def sync_with_defaults(scope: Any = None, receive: Any = None, send: Any = None) -> Any:
    return coroutine_function(scope, receive, send)


class Counting:
    async def __call__(self, *args: Any) -> None:
        calls.append("called")


counting = Counting()

DETECTED = (
    "WARNING ASGI app factory detected. Using it, but please consider setting the "
    "--factory flag explicitly."
)


@pytest.mark.parametrize(
    "name", ["factory", "factory_with_options", "factory_of_three", "Unmade"]
)
def test_a_factory_is_detected(name: str, logs: Lines) -> None:
    application = load(name)
    assert application.interface == "asgi3"
    assert logs.lines == [DETECTED]
    logs.lines.clear()
    assert load(name, factory=True).interface == "asgi3"
    assert logs.lines == []


@pytest.mark.parametrize(
    "name",
    [
        "coroutine_function",
        "passes_on_anything",
        "awaits_anything",
        "sync_with_defaults",
        "counting",
    ],
)
def test_an_application_is_not_taken_for_a_factory(name: str, logs: Lines) -> None:
    application = load(name)
    assert application.call is globals()[name]
    assert application.interface == "asgi3"
    assert logs.lines == []
    assert calls == []


@pytest.mark.parametrize("options", [{}, {"factory": True}])
def test_a_type_error_inside_a_factory(options: Any, logs: Lines) -> None:
    logging.getLogger("uvicorn").setLevel(logging.DEBUG)
    with pytest.raises(StartupError) as caught:
        load("factory_in_error", **options)
    assert str(caught.value) == (
        "Error loading ASGI app factory: object of type 'NoneType' has no len()"
    )
    assert caught.value.exit_code == 3
    assert logs.lines == ["DEBUG Exception in ASGI app factory\n<TypeError>"]


def test_an_application_given_as_factory(logs: Lines) -> None:
    with pytest.raises(StartupError) as caught:
        load("coroutine_function", factory=True)
    assert str(caught.value) == (
        "Error loading ASGI app factory: coroutine_function() missing 3 required "
        "positional arguments: 'scope', 'receive', and 'send'. "
        "It looks like an application; start without '--factory'"
    )
    assert caught.value.exit_code == 3
    assert logs.lines == []


@pytest.mark.parametrize("options", [{}, {"factory": True}])
def test_what_a_factory_raises_passes_through(options: Any) -> None:
    with pytest.raises(LookupError, match="no database"):
        load("factory_that_raises", **options)


@pytest.mark.parametrize(
    ("name", "kind"), [("the_answer", "int"), ("factory_of_nothing", "NoneType")]
)
def test_what_cannot_be_called_is_refused(name: str, kind: str) -> None:
    with pytest.raises(StartupError) as caught:
        load(name)
    assert str(caught.value) == (
        f"ASGI app \"{__name__}:{name}\" is not callable: it is of type '{kind}'."
    )
    assert caught.value.exit_code == 1


def test_import_errors() -> None:
    with pytest.raises(StartupError) as caught:
        load("nope")
    assert str(caught.value) == (
        f'Error loading ASGI app. Attribute "nope" not found in module "{__name__}". '
        f'Did you mean "{__name__}:wsgi"?'
    )
    assert caught.value.exit_code == 3


def test_the_interface_as_told() -> None:
    assert load("coroutine_function", interface="asgi2").interface == "asgi2"
    for name in ("returns_instance", "wsgi_object"):
        assert load(name, interface="asgi3").call is globals()[name]
    assert load("coroutine_function", interface="wsgi").interface == "wsgi"


def test_a_wsgi_application() -> None:
    for options in ({}, {"interface": "wsgi"}):
        application = load("wsgi_object", **options)
        assert application.interface == "wsgi"
        assert application.served is wsgi_object
        # Its lifespan is that of an ASGI application which knows none.
        with pytest.raises(RuntimeError):
            asyncio.run(application.call({}, None, None))  # type: ignore[arg-type]
    assert load("checked", interface="wsgi").served is checked
    with pytest.raises(StartupError) as caught:
        load("wsgi_object", lifespan="on")
    assert str(caught.value) == (
        f'"{__name__}:wsgi_object" is a WSGI application, and WSGI has no lifespan. '
        "Start without '--lifespan on'."
    )
    assert caught.value.exit_code == 3


def test_an_asgi2_application_is_called_as_asgi3() -> None:
    application = load("returns_instance")
    assert application.interface == "asgi2"
    anything: Callable[..., Any] = application.call
    assert asyncio.run(anything("scope", "receive", "send")) == "scope receive send"
