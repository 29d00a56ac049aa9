"""Finds the application and how it wants to be called.

ASGI has two calling conventions, WSGI is a third, and applications come as functions,
objects, classes, partials and decorated things. A mistake found here is one line at start-up; found later
it would be a 500 for each request.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from smolcorn import trace
from smolcorn.errors import EXIT_STARTUP, AppError
from smolcorn.importer import ImportFromStringError, import_from_string

if TYPE_CHECKING:
    from smolcorn.config import Settings
    from smolcorn.types import (
        ASGI2Application,
        ASGI3Application,
        Receive,
        Scope,
        Send,
    )

Interface: TypeAlias = Literal["asgi3", "asgi2", "wsgi"]

_LAYERS_MAX = 100
"""Partials and decorators around an application; an object may claim endless ones."""

_PARAMETERS_SHOWN = 6
"""Names of parameters in an error message."""

_WSGI_NAMES = (
    {"environ", "env", "environment", "wsgi_environ", "wsgi_env", "e"},
    {"start_response", "start", "start_resp", "startresponse", "sr", "s"},
)
"""What people call the two arguments of a WSGI application."""

_WSGI_CLASSES = {
    "bottle.Bottle",
    "django.core.handlers.wsgi.WSGIHandler",
    "falcon.app.App",
    "flask.app.Flask",
    "pyramid.router.Router",
}
"""Classes of WSGI applications, whatever a class made of one calls its arguments."""

_logger = logging.getLogger("uvicorn.error")


class Application(NamedTuple):
    """An application, ready to be served."""

    call: ASGI3Application
    """Called with scope, receive and send. Of a WSGI application: what says that it
    knows no lifespan."""
    interface: Interface
    """The convention of the application itself, before any adapter."""
    wsgi: Callable[..., Any] | None = None
    """The WSGI application, if it is one."""

    @property
    def served(self) -> Callable[..., Any]:
        """What requests are for."""
        return self.call if self.wsgi is None else self.wsgi


class ASGI2Adapter:
    """Calls an ASGI 2 application as if it were ASGI 3."""

    def __init__(self, app: ASGI2Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return await self.app(scope)(receive, send)


async def _no_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("A WSGI application knows no lifespan.")


def load_application(settings: Settings) -> Application:
    """Imports the application that the settings name and adapts it.

    Raises AppError if there is none, or nothing that can be called. What the
    application's own module or factory raises passes through.
    """
    name = (
        settings.app if isinstance(settings.app, str) else type(settings.app).__name__
    )
    try:
        found = import_from_string(settings.app)
    except ImportFromStringError as error:
        from smolcorn import hints

        hint = hints.of(error, str(settings.app), settings.app_dir)
        raise AppError(
            f"Error loading ASGI app. {error}{hint}", EXIT_STARTUP
        ) from error
    if settings.factory:
        found = _call_factory(found)
        if not callable(found):
            raise AppError(
                f'ASGI app factory "{name}" must return an application: '
                f"it returned an object of type {_type(found)}."
            )
    elif _may_be_factory(found) and not (
        # A decorator that takes anything: it was said what it is called with.
        settings.interface == "wsgi" and _takes_two(found)
    ):
        found = _call_possible_factory(found)
    if not callable(found):
        raise AppError(
            f'ASGI app "{name}" is not callable: it is of type {_type(found)}.'
        )
    if settings.interface == "auto":
        interface = detect_interface(found, name)
    else:
        interface = settings.interface
    # Whether it gives what these conventions ask for shows when it is called.
    app: Any = found
    if interface == "wsgi":
        if settings.lifespan == "on":
            raise AppError(
                f'"{name}" is a WSGI application, and WSGI has no lifespan. Start without '
                "'--lifespan on'.",
                EXIT_STARTUP,
            )
        return prepared(app, interface)
    call: ASGI3Application = ASGI2Adapter(app) if interface == "asgi2" else app
    if trace.is_wanted():
        call = trace.MessageLoggerMiddleware(call)
    return prepared(call, interface)


def prepared(served: Any, interface: Interface) -> Application:
    """An application of which it is known what requests are for."""
    if interface == "wsgi":
        return Application(_no_lifespan, interface, served)
    return Application(served, interface)


def detect_interface(app: Callable[..., Any], name: str) -> Interface:
    """Tells the convention from the looks of the callable.

    Raises AppError, which calls it `name`, if it can be none of them.
    """
    if _is_of_wsgi_framework(app):
        return "wsgi"
    if hasattr(_unwrapped(app), "__await__") and inspect.isclass(_unwrapped(app)):
        return "asgi3"
    signatures = list(_signatures(app))
    if not signatures:
        return "asgi3"
    if _declared_async(app):
        if any(_accepts(signature, 3) for signature in signatures):
            return "asgi3"
        raise _wrong_signature(name, signatures[0])
    # The signature of what was decorated counts before the decorator's own.
    for signature in signatures:
        if _looks_like_wsgi(signature):
            return "wsgi"
        if _accepts(signature, 3):
            return "asgi3"
        if _accepts(signature, 1):
            return "asgi2"
    raise _wrong_signature(name, signatures[0])


def _call_factory(factory: Any) -> Any:
    """Returns what the factory makes. A TypeError is taken as one of its call."""
    try:
        return factory()
    except TypeError as error:
        raise _factory_error(error, _is_no_factory(factory)) from error


def _is_no_factory(app: Any) -> bool:
    """True for what is called as an application is, and cannot be without arguments."""
    signatures = list(_signatures(app)) if callable(app) else []
    return any(_accepts(signature, 3) for signature in signatures) and not any(
        _accepts(signature, 0) for signature in signatures
    )


def _factory_error(error: TypeError, is_application: bool = False) -> AppError:
    """Says why the factory failed; and where, if that was in the factory's own code."""
    hint = ". It looks like an application; start without '--factory'"
    if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
        _logger.debug("Exception in ASGI app factory\n", exc_info=error)
    return AppError(
        f"Error loading ASGI app factory: {error}{hint * is_application}", EXIT_STARTUP
    )


def _may_be_factory(app: Any) -> bool:
    """True if the callable would accept a call without arguments."""
    return (
        callable(app)
        and not _declared_async(app)
        and any(_accepts(signature, 0) for signature in _signatures(app))
    )


def _call_possible_factory(app: Any) -> Any:
    """Returns what a factory makes; `app` itself if it turns out to be none."""
    try:
        made = app()
    except TypeError as error:
        # A decorator that passes on whatever it gets accepts a call without
        # arguments; what it decorates does not.
        if any(_takes_anything(signature) for signature in _signatures(app)):
            return app
        raise _factory_error(error) from error
    if inspect.isawaitable(made):
        if inspect.iscoroutine(made):
            made.close()
        return app
    _logger.warning(
        "ASGI app factory detected. Using it, but please consider setting the "
        "--factory flag explicitly."
    )
    return made


def _declared_async(app: Any) -> bool:
    """True for coroutine functions, and for objects, partials and wrappers of them."""
    target = _unwrapped(app)
    if inspect.iscoroutinefunction(target) or _has_marker(target):
        return True
    if inspect.isclass(target):
        return False
    method = type(target).__call__ if callable(target) else None
    return inspect.iscoroutinefunction(method) or _has_marker(method)


def _has_marker(target: Any) -> bool:
    # Set by asgiref and Cython on what behaves like a coroutine function.
    return getattr(target, "_is_coroutine", None) is not None


def _unwrapped(app: Any) -> Any:
    """What is behind partials and decorators that say what they wrap."""
    for _ in range(_LAYERS_MAX):
        if isinstance(app, functools.partial):
            app = app.func
        elif not inspect.isclass(app) and hasattr(app, "__wrapped__"):
            app = app.__wrapped__
        else:
            break
    return app


def _signatures(app: Callable[..., Any]) -> Iterator[inspect.Signature]:
    """The signature of what was decorated, then that of the callable itself."""
    for follow in (True, False):
        try:
            yield inspect.signature(app, follow_wrapped=follow)
        except (TypeError, ValueError):
            continue


def _accepts(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _takes_anything(signature: inspect.Signature) -> bool:
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    return inspect.Parameter.VAR_POSITIONAL in kinds


def _is_of_wsgi_framework(app: Any) -> bool:
    """True for objects of classes that are known to be WSGI applications."""
    target = _unwrapped(app)
    if inspect.isclass(target) or _declared_async(target):
        return False
    known = any(
        f"{base.__module__}.{base.__qualname__}" in _WSGI_CLASSES
        for base in type(target).__mro__
    )
    return known and _takes_two(target)


def _takes_two(app: Any) -> bool:
    return any(_accepts(signature, 2) for signature in _signatures(app))


def _looks_like_wsgi(signature: inspect.Signature) -> bool:
    """True if it can be called with two arguments that have names as WSGI's have."""
    names = [name.lower().lstrip("_") for name in signature.parameters]
    by_name = len(names) >= 2 and all(
        name in known for name, known in zip(names, _WSGI_NAMES, strict=False)
    )
    return by_name and _accepts(signature, 2)


def _wrong_signature(name: str, signature: inspect.Signature) -> AppError:
    # Names alone: annotations and defaults can fill pages.
    names = list(signature.parameters)
    shown = names[:_PARAMETERS_SHOWN] + ["..."] * (len(names) > _PARAMETERS_SHOWN)
    return AppError(
        f'ASGI app "{name}" must take (scope, receive, send), '
        f"but its parameters are ({', '.join(shown)})."
        + " For a WSGI application, say '--interface wsgi'."
        * (_accepts(signature, 2) and not _accepts(signature, 3))
    )


def _type(value: object) -> str:
    return f"'{type(value).__name__}'"
