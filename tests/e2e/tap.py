"""A wire between a client and the gateway that can be listened to: bytes pass through it unchanged."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Tap:
    """Listens on a port of its own and hands every connection on to `target`."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._asked: list[bytearray] = []
        self._clients: list[socket.socket] = []

    @property
    def base_url(self) -> str:
        """The address for the client."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def openings(self) -> list[str]:
        """The head of the first request of each connection, with header names in lower case."""
        return [bytes(asked).partition(b"\r\n\r\n")[0].decode("latin-1").lower() for asked in self._asked]

    def run(self) -> None:
        """Accept until `close`."""
        with suppress(OSError), ThreadPoolExecutor(64) as threads:
            while True:
                client, _ = self._listener.accept()
                asked = bytearray()
                self._asked.append(asked)
                self._clients.append(client)
                threads.submit(self._connect, client, asked, threads)

    def close(self) -> None:
        """Accept no more, and hang up."""
        # A close alone does not wake the threads that accept and receive.
        for each in (self._listener, *self._clients):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _connect(self, client: socket.socket, asked: bytearray, threads: ThreadPoolExecutor) -> None:
        with client, socket.create_connection(self._target) as server:
            back = threads.submit(_pass_on, server, client, bytearray())
            _pass_on(client, server, asked)
            back.result()


def _pass_on(source: socket.socket, target: socket.socket, record: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            record += data
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def tapped(target: str) -> Iterator[Tap]:
    """A tap in front of `target`, until the block ends."""
    tap = Tap(target)
    thread = threading.Thread(target=tap.run, daemon=True)
    thread.start()
    try:
        yield tap
    finally:
        tap.close()
        thread.join(5)
