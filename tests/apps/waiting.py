"""Looks at what a call of `receive()` waits on. Each path is one experiment; the answer is what
was seen, as JSON."""

import asyncio
import contextvars
import json
from typing import Any

from apps.asgi import body, start
from apps.routes import Handler, Receive, Routes, Scope, Send

number: contextvars.ContextVar[int] = contextvars.ContextVar("number", default=0)


def waiter_of(task: "asyncio.Task[Any]") -> Any:
    return task._fut_waiter  # type: ignore[attr-defined]


async def waiting(task: "asyncio.Task[Any]") -> Any:
    """What `task` waits on, once it does."""
    while waiter_of(task) is None:
        await asyncio.sleep(0)
    return waiter_of(task)


async def let_client_go_on(send: Send) -> None:
    """Starts the response: the client sends its body when it sees that."""
    await send(start())
    await send(body(b"go", more=True))


async def protocol(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    task = asyncio.ensure_future(receive())
    waiter = await waiting(task)
    called: list[Any] = []
    seen = [
        asyncio.isfuture(waiter),
        waiter.done(),
        waiter.cancelled(),
        asyncio.futures._get_loop(waiter) is asyncio.get_running_loop(),  # type: ignore[attr-defined]
        repr(waiter),
        waiter._asyncio_future_blocking,
    ]
    try:
        waiter.result()
    except asyncio.InvalidStateError as error:
        seen.append(str(error))
    waiter.add_done_callback(called.append)
    waiter.add_done_callback(print)
    seen.append(waiter.remove_done_callback(print))
    seen.append(waiter.remove_done_callback(print))
    await let_client_go_on(send)
    message = await task
    seen += [message["type"], waiter.done(), waiter.result(), repr(waiter)]
    while not called:
        await asyncio.sleep(0)
    late: list[Any] = []
    waiter.add_done_callback(late.append)
    seen += [called[0].done(), len(late)]
    await asyncio.sleep(0)
    seen += [late == [waiter], waiter.cancel()]
    return seen


async def cancelled(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    task = asyncio.ensure_future(receive())
    waiter = await waiting(task)
    task.cancel("enough")
    try:
        await task
    except asyncio.CancelledError as error:
        seen: list[Any] = [str(error)]
    seen += [waiter.cancelled(), waiter.done(), repr(waiter), waiter.cancel()]
    try:
        waiter.exception()
    except asyncio.CancelledError as error:
        seen.append(str(error))
    await let_client_go_on(send)
    # Nothing is lost with it.
    message = await receive()
    return [*seen, message["body"].decode()]


async def own_task_and_context(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    number.set(5)
    task = asyncio.current_task()
    await let_client_go_on(send)
    message = await receive()
    number.set(number.get() + 1)
    return [
        message["body"].decode(),
        asyncio.current_task() is task,
        number.get(),
    ]


async def python_task(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """A task that is written in Python, as debuggers and factories make them."""
    loop = asyncio.get_running_loop()
    task = asyncio.tasks._PyTask(receive(), loop=loop)  # type: ignore[attr-defined]
    await waiting(task)
    await let_client_go_on(send)
    message = await task
    return [message["body"].decode()]


async def raising_callback(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    loop = asyncio.get_running_loop()
    reported: list[str] = []
    loop.set_exception_handler(
        lambda _, context: reported.append(repr(context["exception"]))
    )

    def fail(_: Any) -> None:
        raise ValueError("callback")

    task = asyncio.ensure_future(receive())
    (await waiting(task)).add_done_callback(fail)
    await let_client_go_on(send)
    message = await task
    while not reported:
        await asyncio.sleep(0)
    loop.set_exception_handler(None)
    return [message["body"].decode(), *reported]


async def exits(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """A task of the application's own that ends the process, in the turn that woke it."""

    async def leave() -> None:
        await receive()
        raise SystemExit(7)

    task = asyncio.ensure_future(leave())
    task.add_done_callback(lambda done: done.exception())
    await waiting(task)
    await let_client_go_on(send)
    await asyncio.sleep(60)
    return []


app = Routes()


def show(experiment: Handler) -> None:
    """Serves an experiment under its name."""

    @app.route(f"/{experiment.__name__}")
    async def handler(scope: Scope, receive: Receive, send: Send) -> None:
        seen = await experiment(scope, receive, send)
        await send(body(json.dumps(seen).encode()))


for one in (
    protocol,
    cancelled,
    own_task_and_context,
    python_task,
    raising_callback,
    exits,
):
    show(one)
