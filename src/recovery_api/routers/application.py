"""The whole ASGI application: the FHIR base answers below `/fhir`, FastAPI answers everything else (discovery too)."""
from recovery_api.routers.asgi import App, Receive, Scope, Send

BASE = "/fhir"
WELL_KNOWN = f"{BASE}/.well-known/"
WEBSOCKET = f"{BASE}/websocket"


class Application:
    """Sends each request to the one of two applications whose path it has."""

    def __init__(self, fhir: App, rest: App, socket: App) -> None:
        """`fhir` gets paths as the client sent them, with the base as `root_path`; `socket` gets websocket connections; `rest` gets
        the lifespan too."""
        self._fhir = fhir
        self._rest = rest
        self._socket = socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        path = scope.get("path", "")
        below = path.startswith(f"{BASE}/") and not path.startswith(WELL_KNOWN)
        if scope["type"] == "http" and (below or path == BASE):
            scope["root_path"] = BASE
            return await self._fhir(scope, receive, send)
        if scope["type"] == "websocket" and path == WEBSOCKET:
            return await self._socket(scope, receive, send)
        return await self._rest(scope, receive, send)
