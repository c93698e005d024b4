"""A consumer of Channels."""

from __future__ import annotations

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class Room(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        self.name = self.scope["url_route"]["kwargs"]["name"]
        if self.name == "closed":
            await self.close()
        else:
            await self.accept("chat" if "chat" in self.scope["subprotocols"] else None)

    async def receive_json(self, content: object) -> None:
        if content == "leave":
            await self.close(4002, "as you like")
        else:
            await self.send_json({"room": self.name, "user": str(self.scope["user"]), "said": content})
