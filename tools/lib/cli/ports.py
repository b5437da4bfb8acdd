"""TCP ports."""

import socket


def free() -> int:
    """Returns a TCP port of this machine that is free at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as trial:
        return trial.getsockname()[1]


def listens(address: str, port: int) -> bool:
    """Returns whether a server accepts connections at an address and port."""
    # These wildcards stand for every address of the machine; a client needs a real one.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
