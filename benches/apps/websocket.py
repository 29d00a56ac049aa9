"""WebSocket applications: an echo, and a room in which everybody hears what one says."""

from plain import Message, Receive, Send

room: set[Send] = set()


async def accept(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] != "websocket":
        raise RuntimeError(f"{scope['type']} is not served here")
    await receive()
    await send({"type": "websocket.accept"})


def content(message: Message) -> Message:
    """What to send for what was received: text for text, bytes for bytes."""
    if message.get("bytes") is not None:
        return {"type": "websocket.send", "bytes": message["bytes"]}
    return {"type": "websocket.send", "text": message["text"]}


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    await accept(scope, receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send(content(message))


async def broadcast(scope: Message, receive: Receive, send: Send) -> None:
    """Sends what any client says to all of them, one after the other."""
    await accept(scope, receive, send)
    room.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            sent = content(message)
            for send_to in list(room):
                await send_to(sent)
    finally:
        room.discard(send)
