"""TCP ports."""

import socket


def free() -> int:
    """Returns a port of this machine that nothing listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as trial:
        return trial.getsockname()[1]


def listens(address: str, port: int) -> bool:
    """Returns whether a server takes connections."""
    # Every address of the machine is listened on, but none can be called by that name.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
