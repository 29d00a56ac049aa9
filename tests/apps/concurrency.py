"""Applications that use `send` and `receive` in every way that asyncio and anyio offer."""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio

from apps.asgi import answer, body, query, read_body, report, start
from apps.routes import Message, Receive, Routes, Scope, Send

app = Routes()


def coroutine(awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    """The same object; frameworks take it for a coroutine."""
    return awaitable  # type: ignore[return-value]


@app.route("/kinds")
async def kinds(scope: Scope, receive: Receive, send: Send) -> None:
    """What `receive()` and `send(...)` are."""
    awaitable = receive()
    facts = [
        inspect.isawaitable(awaitable),
        asyncio.iscoroutine(awaitable),
        isinstance(awaitable, Coroutine),
    ]
    assert (await awaitable)["type"] == "http.request"
    sending = send(start(200, (b"content-length", b"4")))
    facts += [inspect.isawaitable(sending), asyncio.iscoroutine(sending)]
    await sending
    report(scope, facts)
    report(
        scope,
        [inspect.iscoroutinefunction(receive) or callable(receive), callable(send)],
    )
    result: Any = await send(body(b"done"))  # type: ignore[func-returns-value]
    report(scope, result)


@app.route("/tasks")
async def tasks(scope: Scope, receive: Receive, send: Send) -> None:
    """Each call in a task of its own."""
    message = await asyncio.create_task(coroutine(receive()))
    await asyncio.create_task(coroutine(send(start(200))))
    await asyncio.create_task(coroutine(send(body(message["body"], more=True))))
    await asyncio.create_task(coroutine(send(body(b" done"))))


@app.route("/ensure-future")
async def ensure_future(scope: Scope, receive: Receive, send: Send) -> None:
    message = await asyncio.ensure_future(receive())
    await asyncio.ensure_future(send(start(200)))
    await asyncio.ensure_future(send(body(message["body"])))


@app.route("/gather")
async def gather(scope: Scope, receive: Receive, send: Send) -> None:
    """Messages sent side by side keep their order."""
    message, _ = await asyncio.gather(receive(), send(start(200)))
    await asyncio.gather(
        *(send(body(b"%d " % number, more=True)) for number in range(20))
    )
    await send(body(message["body"]))


@app.route("/gather-large")
async def gather_large(scope: Scope, receive: Receive, send: Send) -> None:
    """More at a time than may wait to be written; the order is kept all the same."""
    await receive()
    await send(start(200))
    pieces = [bytes([65 + number]) * 100_000 for number in range(26)]
    await asyncio.gather(*(send(body(piece, more=True)) for piece in pieces))
    await send(body())


@app.route("/cancel-send")
async def cancel_send(scope: Scope, receive: Receive, send: Send) -> None:
    """Gives up sends that wait, until one is taken; none goes out twice or in part."""
    await receive()
    await send(start(200))
    taken = given_up = 0
    while taken < 100:
        piece = b"%07d\n" % taken * 12_500
        try:
            await asyncio.wait_for(coroutine(send(body(piece, more=True))), 0.001)
        except asyncio.TimeoutError:
            given_up += 1
            if given_up == 1:
                report(scope, "gave up")
            continue
        taken += 1
    await send(body())


@app.route("/anyio")
async def with_anyio(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    async with anyio.create_task_group() as group:
        group.start_soon(send, start(200))  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        group.start_soon(send, body(message["body"], more=True))  # type: ignore[arg-type]
    with anyio.fail_after(10):
        await send(body(await anyio.to_thread.run_sync(lambda: b" done")))


@app.route("/listen-and-stream")
async def listen_and_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """As Starlette streams: one task listens for the disconnect, one sends; who ends first cancels the other."""
    async with anyio.create_task_group() as group:

        async def until_over(work: Callable[[], Awaitable[None]]) -> None:
            await work()
            group.cancel_scope.cancel()

        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def stream() -> None:
            await send(start(200))
            for number in range(5):
                await send(body(b"%d" % number, more=True))
                await anyio.sleep(0)
            await send(body())

        group.start_soon(until_over, listen)
        await until_over(stream)


@app.route("/wait-for-body")
async def wait_for_body(scope: Scope, receive: Receive, send: Send) -> None:
    """Gives up waiting for the body some times; the test sends it only then."""
    for _ in range(3):
        try:
            await asyncio.wait_for(coroutine(receive()), 0.01)
        except asyncio.TimeoutError:
            continue
        raise AssertionError("the body cannot be here yet")
    report(scope, "gave up")
    await answer(send, await read_body(receive))


@app.route("/cancel-receive")
async def cancel_receive(scope: Scope, receive: Receive, send: Send) -> None:
    """Cancels a waiting task; one that waits beside it is not harmed."""
    first, second = (asyncio.create_task(coroutine(receive())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    try:
        await first
    except asyncio.CancelledError:
        report(scope, "cancelled")
    message = await second
    await answer(send, message["body"])


@app.route("/cancel-as-it-comes")
async def cancel_as_it_comes(scope: Scope, receive: Receive, send: Send) -> None:
    """Polls with ever new timeouts while the body trickles in; nothing may get lost between."""
    report(scope, "ready")
    data = b""
    more = True
    while more:
        task = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        if task.cancel():
            try:
                message: Message = await task
            except asyncio.CancelledError:
                continue
        else:
            message = await task
        data += message["body"]
        more = message["more_body"]
    await answer(send, data)


@app.route("/two-receivers")
async def two_receivers(scope: Scope, receive: Receive, send: Send) -> None:
    """Two tasks wait at a time; together they get the body and then the disconnect."""
    waiting = [asyncio.create_task(coroutine(receive())) for _ in range(2)]
    await asyncio.sleep(0)
    report(scope, "waiting")
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    (first,) = done
    await answer(send, first.result()["body"])
    messages = await asyncio.gather(*waiting)
    report(scope, sorted(message["type"] for message in messages))


@app.route("/never-awaited")
async def never_awaited(scope: Scope, receive: Receive, send: Send) -> None:
    """Makes awaitables and closes them unused."""
    coroutine(receive()).close()
    coroutine(send(start(500))).close()
    await answer(send, await read_body(receive))


@app.route("/current-task")
async def current_task(scope: Scope, receive: Receive, send: Send) -> None:
    """The same true task at all times."""
    task = asyncio.current_task()
    assert task is not None and task in asyncio.all_tasks()
    await receive()
    assert asyncio.current_task() is task
    await asyncio.sleep(0)
    assert asyncio.current_task() is task
    await send(start(200, (b"content-length", b"4")))
    assert asyncio.current_task() is task and not task.done()
    await send(body(b"done"))
    assert asyncio.current_task() is task


@app.route("/cancels-itself")
async def cancels_itself(scope: Scope, receive: Receive, send: Send) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        await answer(send, b"was cancelled")


@app.route("/timeout")
async def timeout(scope: Scope, receive: Receive, send: Send) -> None:
    with anyio.move_on_after(0.01) as waited:
        await anyio.sleep_forever()
    await answer(send, b"%d" % waited.cancelled_caught)


WORD: contextvars.ContextVar[str] = contextvars.ContextVar("WORD", default="clean")
OF_THE_SERVER: contextvars.ContextVar[str] = contextvars.ContextVar("OF_THE_SERVER")
OF_THE_SERVER.set("the server's")


@app.route("/context-of-the-server")
async def context_of_the_server(scope: Scope, receive: Receive, send: Send) -> None:
    """Shows what was set when the module was imported."""
    await read_body(receive)
    await answer(send, OF_THE_SERVER.get("none").encode())


@app.route("/context")
async def context(scope: Scope, receive: Receive, send: Send) -> None:
    """Shows a context variable, and sets it for whoever comes after in the same context."""
    seen = WORD.get()
    WORD.set("left over")
    await receive()
    if "wait" in query(scope):
        await asyncio.sleep(0)
    await answer(send, seen.encode())


@app.route("/context-kept")
async def context_kept(scope: Scope, receive: Receive, send: Send) -> None:
    """A variable that is set stays set through every wait, in child tasks too."""
    WORD.set("mine")
    await read_body(receive)
    await asyncio.sleep(0)

    async def child() -> str:
        return WORD.get()

    await send(start(200))
    await send(body(f"{WORD.get()} {await asyncio.create_task(child())}".encode()))


@app.route("/background")
async def background(scope: Scope, receive: Receive, send: Send) -> None:
    """Leaves a task behind that goes on after the answer."""
    name = query(scope)["ticket"]

    async def work() -> None:
        await asyncio.sleep(0.01)
        report(scope, f"worked {name}")

    BACKGROUND.add(task := asyncio.create_task(work()))
    task.add_done_callback(BACKGROUND.discard)
    await answer(send, b"started")


BACKGROUND: set["asyncio.Task[None]"] = set()


@app.route("/rendezvous")
async def rendezvous(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers as soon as so many requests are here at the same time."""
    present = PRESENT.setdefault(query(scope)["ticket"], [])
    present.append(scope)
    while len(present) < int(query(scope)["count"]):
        await asyncio.sleep(0.001)
    await answer(send, b"met")


PRESENT: dict[str, list[Scope]] = {}


@app.route("/ticks")
async def ticks(scope: Scope, receive: Receive, send: Send) -> None:
    """The loop's own timers go on while requests come in."""
    for _ in range(5):
        await asyncio.sleep(0.002)
    await answer(send, b"ticked")


@app.route("/late")
async def late(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends from a plain callback's task, long after the request's own turn."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def later() -> None:
        task = loop.create_task(coroutine(answer(send, b"late")))
        task.add_done_callback(lambda _: done.set_result(None))

    loop.call_later(0.005, later)
    await done


@app.route("/thread")
async def thread(scope: Scope, receive: Receive, send: Send) -> None:
    """Work in the loop's own executor."""
    loop = asyncio.get_running_loop()
    await answer(send, await loop.run_in_executor(None, lambda: b"from a thread"))
