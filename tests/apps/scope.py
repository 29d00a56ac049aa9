"""Answers with the scope as it came, and applications that put something into its state."""

from typing import Any

from apps.asgi import answer
from apps.routes import Receive, Routes, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The scope in Python's own notation, which tells a list from a tuple and str from bytes."""
    assert scope["type"] == "http"
    await answer(send, repr(scope).encode())


class Stateful(Routes):
    """Its lifespan fills the state."""

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"].update({"word": "first", "shared": []})
        await super().lifespan(scope, receive, send)


stateful = Stateful()


@stateful.route("/change")
async def change(scope: Scope, receive: Receive, send: Send) -> None:
    """Changes the scope all over, as applications do, after it has shown the state."""
    seen = repr(scope["state"]).encode()
    scope["state"]["word"] = "changed"
    scope["state"]["shared"].append(len(scope["state"]["shared"]))
    scope["asgi"]["version"] = "changed"
    scope["headers"].append((b"changed", b"changed"))
    for extension in scope["extensions"].values():
        extension["changed"] = True
    scope["extensions"]["changed"] = {}
    await answer(send, seen)


@stateful.route("/scope")
async def show(scope: Scope, receive: Receive, send: Send) -> None:
    shown: dict[str, Any] = {
        name: value for name, value in scope.items() if name != "state"
    }
    await answer(send, repr(shown).encode())


@stateful.route("/keep")
async def keep(scope: Scope, receive: Receive, send: Send) -> None:
    """Keeps its scope, and shows the one that was kept before."""
    kept = scope["state"]["shared"]
    kept.append(scope)
    await answer(
        send,
        repr(
            [earlier["path"] + earlier["query_string"].decode() for earlier in kept]
        ).encode(),
    )
