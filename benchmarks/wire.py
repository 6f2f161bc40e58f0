"""The least HTTP/1.1 server: an asyncio.Protocol that reads no more of a request than it must."""

import asyncio
import json
from collections.abc import Callable
from typing import cast

GROUND = 4096
"""Bytes of a body that are kept: every field stands before the file."""

Answer = bytes | asyncio.Future[bytes]


class Server(asyncio.Protocol):
    """One connection: HTTP/1.1 with keep-alive, one request after the other."""

    def __init__(self, answer: Callable[[bytes, str, bytes], Answer]) -> None:
        self._answer = answer
        self._buffer = bytearray()
        self._head: tuple[bytes, str] | None = None
        self._left = 0  # bytes of the body still to come; -1: chunked
        self._start = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what came, and answer a request that is whole."""
        if self._head and self._left > len(data):  # the middle of a large body
            self._keep(data)
            self._left -= len(data)
            return
        self._buffer += data
        while self._read_head() and self._read_body():
            method, path = self._head or (b"", "")
            self._head, start, self._start = None, self._start, b""
            answer = self._answer(method, path, start)
            if isinstance(answer, bytes):
                self._write(answer)
            else:
                answer.add_done_callback(lambda future: self._write(future.result()))

    def _read_head(self) -> bool:
        if self._head:
            return True
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        method, path, _ = head.split(b"\r\n", 1)[0].split(b" ")
        self._head = method, path.decode()
        lower = head.lower()
        at = lower.find(b"content-length:")
        self._left = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if b"transfer-encoding: chunked" in lower:
            self._left = -1
        if b"expect: 100-continue" in lower:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _read_body(self) -> bool:
        if self._left < 0:
            end = self._buffer.find(b"\r\n0\r\n\r\n")
            if end < 0 and not self._buffer.startswith(b"0\r\n\r\n"):
                return False
            self._keep(bytes(self._buffer[:GROUND]))
            del self._buffer[: end + 7 if end >= 0 else 5]
            return True
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        self._keep(piece)
        return self._left == 0

    def _keep(self, piece: bytes) -> None:
        if len(self._start) < GROUND:
            self._start += piece[: GROUND - len(self._start)]

    def _write(self, answer: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(answer)


def whole(body: bytes, kind: str = "image/jpeg") -> bytes:
    """Write an answer with this body."""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def reply(body: object) -> bytes:
    """Write an answer in JSON."""
    return whole(json.dumps(body).encode(), "application/json")
