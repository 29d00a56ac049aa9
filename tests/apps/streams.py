"""Endless and large answers, and what happens to them when the client goes away."""

import asyncio
import resource
import sys

import anyio

from apps.asgi import answer, body, query, read_body, report_as, start
from apps.routes import Gates, Receive, Routes, Scope, Send

app = Routes()
gate = Gates()

CHUNK = b"x" * 65_536


@app.route("/endless")
async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends until it is told to stop by an error, and reports that."""
    ticket = query(scope)["ticket"]
    await send(start())
    await send(body(b"first", more=True))
    report_as(ticket, "started")
    try:
        while True:
            await send(body(CHUNK, more=True))
            await asyncio.sleep(0)
    except BaseException as error:
        report_as(ticket, [type(error).__name__, isinstance(error, OSError)])
        if "swallow" not in query(scope):
            raise
        # It goes on raising.
        try:
            await send(body(b"again", more=True))
        except OSError:
            report_as(ticket, "again")


@app.route("/trickle")
async def trickle(scope: Scope, receive: Receive, send: Send) -> None:
    """Small pieces with pauses, until the client is gone."""
    ticket = query(scope)["ticket"]
    await send(start())
    try:
        while True:
            await send(body(b"tick\n", more=True))
            await asyncio.sleep(0.005)
    except OSError:
        report_as(ticket, "gone")


@app.route("/answer-to-nobody")
async def answer_to_nobody(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits for the disconnect, and answers then, as if it had not been told."""
    ticket = query(scope)["ticket"]
    report_as(ticket, "waiting")
    while (await receive())["type"] != "http.disconnect":
        pass
    try:
        await answer(send, b"too late")
    finally:
        report_as(ticket, "over")


@app.route("/endless-in-a-group")
async def endless_in_a_group(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends from a task group, whose errors come in groups."""
    ticket = query(scope)["ticket"]

    async def send_on() -> None:
        while True:
            await send(body(CHUNK, more=True))
            await asyncio.sleep(0)

    await send(start())
    await send(body(b"first", more=True))
    report_as(ticket, "started")
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(send_on)
    finally:
        report_as(ticket, "over")


@app.route("/send-after-disconnect")
async def send_after_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits for the disconnect, and tries to answer then."""
    ticket = query(scope)["ticket"]
    report_as(ticket, "waiting")
    while (await receive())["type"] != "http.disconnect":
        pass
    report_as(ticket, "disconnected")
    try:
        await answer(send, b"too late")
    except BaseException as error:
        report_as(ticket, isinstance(error, OSError))
        raise
    report_as(ticket, "no error")


@app.route("/answer-after-end")
async def answer_after_end(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers when another request opens the gate."""
    ticket = query(scope)["ticket"]
    data = await read_body(receive)
    report_as(ticket, "read")
    await gate(ticket).wait()
    await send(start(200))
    await send(body(b"slow ", more=True))
    await asyncio.sleep(0)
    await send(body(data))


@app.route("/open")
async def open_gate(scope: Scope, receive: Receive, send: Send) -> None:
    gate(query(scope)["ticket"]).set()
    await answer(send, b"open")


@app.route("/echo")
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, await read_body(receive))


@app.route("/count-body")
async def count_body(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads a body of any size, and answers with its length."""
    total = 0
    more = True
    while more:
        message = await receive()
        total += len(message["body"])
        more = message["more_body"]
    await answer(send, b"%d" % total)


@app.route("/gated-count-body")
async def gated_count_body(scope: Scope, receive: Receive, send: Send) -> None:
    """Begins to read only when the gate opens."""
    ticket = query(scope)["ticket"]
    report_as(ticket, "waiting")
    await gate(ticket).wait()
    await count_body(scope, receive, send)


@app.route("/download")
async def download(scope: Scope, receive: Receive, send: Send) -> None:
    """So many chunks of 64 KiB, counted while they go; reports when sending has come to a stop."""
    parameters = query(scope)
    chunks = int(parameters["chunks"])
    headers = (
        []
        if "chunked" in parameters
        else [(b"content-length", b"%d" % (chunks * len(CHUNK)))]
    )
    await send(start(200, *headers))
    sent = [0]
    ticket = parameters.get("ticket", "")
    watcher = asyncio.create_task(report_stop(ticket, sent)) if ticket else None
    try:
        for number in range(chunks):
            await send(body(CHUNK, more=number < chunks - 1))
            sent[0] += len(CHUNK)
    except OSError:
        report_as(ticket, "gone")
        raise
    finally:
        if watcher:
            watcher.cancel()


async def report_stop(ticket: str, sent: list[int]) -> None:
    """Reports the count once it has not grown for a while."""
    before = -1
    while sent[0] != before:
        before = sent[0]
        await asyncio.sleep(0.3)
    report_as(ticket, before)


class ClientDisconnect(Exception):
    """What frameworks make of the server's error."""


async def ticks(send: Send) -> None:
    await send(start())
    while True:
        await send(body(b"tick\n", more=True))
        await asyncio.sleep(0.005)


@app.route("/passes-on")
async def passes_on(scope: Scope, receive: Receive, send: Send) -> None:
    """Ends with an exception of its own when the client is gone."""
    try:
        await ticks(send)
    except OSError:
        report_as(query(scope)["ticket"], "gone")
        raise ClientDisconnect() from None


@app.route("/fails-on")
async def fails_on(scope: Scope, receive: Receive, send: Send) -> None:
    """Fails when it cleans up after a client that is gone."""
    try:
        await ticks(send)
    except OSError:
        report_as(query(scope)["ticket"], "gone")
        raise KeyError("a fault in the clean-up")  # noqa: B904


@app.route("/polls")
async def polls(scope: Scope, receive: Receive, send: Send) -> None:
    """Asks again and again whether the client is gone, as frameworks do; answers with what
    the process has grown by meanwhile, KiB."""
    await receive()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(50_000):
        asking = asyncio.ensure_future(receive())  # type: ignore[arg-type]
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.sleep(0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    await answer(send, b"%d" % grown)


tasks: set[asyncio.Task[None]] = set()


@app.route("/lent")
async def lent(scope: Scope, receive: Receive, send: Send) -> None:
    """A large body of its own; reports when the server has let go of it."""
    ticket = query(scope)["ticket"]
    large = b"x" * 300_000
    ours = sys.getrefcount(large)

    async def watch() -> None:
        while sys.getrefcount(large) > ours:
            await asyncio.sleep(0.002)
        report_as(ticket, "released")

    await send(start())
    await send(body(large))
    task = asyncio.get_running_loop().create_task(watch())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
