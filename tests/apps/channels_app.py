"""A Django application with WebSockets, by Channels, in one file."""

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer
from channels.layers import InMemoryChannelLayer, channel_layers
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from apps.django_app import app as django_app

channel_layers.set("default", InMemoryChannelLayer())


class Synchronous(WebsocketConsumer):
    """Runs in a thread."""

    def connect(self) -> None:
        self.accept()

    def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        self.send(text_data=text_data, bytes_data=bytes_data)


class Room(AsyncJsonWebsocketConsumer):
    """What one says, all hear."""

    async def connect(self) -> None:
        if self.scope["query_string"] == b"banned":
            await self.close()
            return
        await self.channel_layer.group_add("room", self.channel_name)
        await self.accept()
        await self.send_json("welcome")

    async def receive_json(self, content: Any, **_: Any) -> None:
        if content == "leave":
            await self.close(code=4002)
            return
        await self.channel_layer.group_send("room", {"type": "said", "what": content})

    async def said(self, event: dict[str, Any]) -> None:
        await self.send_json({"said": event["what"]})

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard("room", self.channel_name)


app = ProtocolTypeRouter(
    {
        "http": django_app,
        "websocket": AllowedHostsOriginValidator(
            URLRouter(
                [path("sync", Synchronous.as_asgi()), path("room", Room.as_asgi())]
            )
        ),
    }
)
