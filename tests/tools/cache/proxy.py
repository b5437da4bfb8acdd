"""A proxy that stalls in the middle of a transfer until its connections are closed."""

import contextlib
import socket
import threading


class Proxy:
    """Forwards a number of bytes in one direction, then holds back everything."""

    def __init__(self, target: int, hold_after: int, upwards: bool) -> None:
        """Starts the proxy; it counts the bytes to the server if `upwards`, else those from it."""
        self.reached = threading.Event()
        self._target = target
        self._left = hold_after
        self._upwards = upwards
        self._lock = threading.Lock()
        self._cut = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                self._sockets += [client, server]
                for source, sink, up in ((client, server, True), (server, client, False)):
                    arguments = (source, sink, up == self._upwards)
                    threading.Thread(target=self._pass, args=arguments, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if counts:
                    with self._lock:
                        self._left -= len(data)
                        over = self._left < 0
                    if over:
                        self.reached.set()
                        self._cut.wait()
                        return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Closes every connection and accepts no new ones."""
        self._cut.set()
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
