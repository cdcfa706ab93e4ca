"""Where clients see the server by https, browsers are told to come by nothing else (RFC 6797)."""

from recovery_api.routers.asgi import App, Message, Receive, Scope, Send

HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class Https:
    """An ASGI application whose every answer says so."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], HSTS]
            await send(message)

        await self._app(scope, receive, tell)
