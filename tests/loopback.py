"""No test reaches another host: Python's own audit events refuse every address but this machine's."""
import ipaddress
import sys

ADDRESS_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
NAME_EVENTS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
LOCAL_NAMES = frozenset({"", "localhost"})


class OutsideAddress(RuntimeError):
    """A test tried to leave the machine."""


def close_sockets() -> None:
    """From now on, for the rest of this process, only loopback addresses and Unix sockets can be reached or looked up."""
    sys.addaudithook(_refuse_outside)


def is_local(host: str | bytes | None) -> bool:
    """Whether `host` is a name or an address of this machine's loopback."""
    name = host.decode() if isinstance(host, bytes) else host or ""
    if name in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_outside(event: str, arguments: tuple[object, ...]) -> None:
    if event in NAME_EVENTS:
        host = arguments[0]
    elif event in ADDRESS_EVENTS and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not (host is None or (isinstance(host, (str, bytes)) and is_local(host))):
        message = f"{event} to {host!r}: tests reach this machine only"
        raise OutsideAddress(message)
