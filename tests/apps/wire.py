"""Answers that say what arrived: the method, the target and the body, byte for byte."""

from apps.asgi import answer, body, query, read_body, report_as, start
from apps.routes import Receive, Routes, Scope, Send


class Mirror(Routes):
    """Answers every path that has no handler of its own with what was asked."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.lifespan(scope, receive, send)
        handler = self.handlers.get(scope["path"], mirror)
        await handler(scope, receive, send)


app = Mirror()


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    """`METHOD path|raw_path|query|body`, without a name for the text's type."""
    data = await read_body(receive)
    line = f"{scope['method']} {scope['path']}".encode()
    await answer(
        send, b"|".join((line, scope["raw_path"], scope["query_string"], data))
    )


@app.route("/unread")
async def unread(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without looking at the body."""
    await answer(send, b"unread")


@app.route("/header")
async def header(scope: Scope, receive: Receive, send: Send) -> None:
    """The value of the header `x-test`, as it came."""
    values = [value for name, value in scope["headers"] if name == b"x-test"]
    await answer(send, b"|".join(values))


@app.route("/version")
async def version(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, scope["http_version"].encode())


@app.route("/body-fate")
async def body_fate(scope: Scope, receive: Receive, send: Send) -> None:
    """Reports that it runs, and how the body ended; answers with it."""
    ticket = query(scope)["ticket"]
    report_as(ticket, "begun")
    try:
        data = await read_body(receive)
    except OSError:
        report_as(ticket, "disconnected")
        return
    report_as(ticket, data.decode())
    await answer(send, data)


@app.route("/early")
async def early(scope: Scope, receive: Receive, send: Send) -> None:
    """Begins its answer before the body has come."""
    await send(start())
    await send(body(b"early", more=True))
    try:
        await send(body(await read_body(receive)))
    except OSError:
        report_as(query(scope)["ticket"], "disconnected")
