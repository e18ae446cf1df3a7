"""How a server on the network is reached: its addresses, its token, its certificate."""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamser.config import TcpServer
from streamser.outputs.door import Entrance
from streamser.outputs.output import OutputError


def secret(value: str | None, path: str | None, what: str) -> str | None:
    """Return a secret that stands in the configuration or in a file. Raises OutputError."""
    if path is None:
        return value
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.readline(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{what} {path}: {getattr(error, 'strerror', 'not UTF-8')}") from None
    if not text:
        raise OutputError(f"{what} {path}: its first line is empty")
    return text


class Token:
    """The token that a server asks for, if it does."""

    def __init__(self, server: TcpServer) -> None:
        """Raises OutputError."""
        token = secret(server.token, server.token_file, "token_file")
        if token is not None and (len(token) < 16 or not token.isascii()):
            raise OutputError(
                f"token_file {server.token_file}: has to have 16 characters or more, all of ASCII"
            )
        self._token = None if token is None else token.encode()

    def admits(self, authorization: str | None) -> bool:
        """Return whether a header `Authorization: Bearer TOKEN` shows the token, or none is asked.

        How long it takes tells nothing about the token.
        """
        if self._token is None:
            return True
        kind, _, shown = (authorization or "").partition(" ")
        right = hmac.compare_digest(shown.strip().encode("utf-8", "replace"), self._token)
        return right and kind.lower() == "bearer"


def tls(server: TcpServer) -> ssl.SSLContext | None:
    """Return what speaks TLS with the server's certificate, if it has one. Raises OutputError."""
    if server.certificate is None:
        return None

    def passphrase() -> str:  # OpenSSL would ask the terminal, or standard input
        plain = f"openssl pkey -in {server.key} -out PLAIN"
        raise OutputError(f"key {server.key}: is encrypted; store it without passphrase: {plain}")

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(server.certificate, server.key, password=passphrase)
    except OSError as error:  # ssl.SSLError, too
        where = f"certificate {server.certificate}, key {server.key}"
        raise OutputError(f"{where}: {error.strerror or error}") from None
    return context


def addresses(sockets: Iterable[Any]) -> str:
    """Return where a server listens, such as `127.0.0.1:80`."""
    names = (socket.getsockname()[:2] for socket in sockets)
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in names)


async def listen(
    server: TcpServer,
    entrance: Entrance,
    *,
    tls: ssl.SSLContext | None,
    handshake: float,
    limit: int,
) -> asyncio.Server:
    """Receive whoever connects; who may come in agrees on TLS within `handshake` seconds.

    Lines of up to `limit` bytes are read. Raises OutputError.
    """
    if tls is not None:

        async def encrypt(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await writer.start_tls(tls, ssl_handshake_timeout=handshake)

        entrance = entrance.after(encrypt)
    try:
        return await asyncio.start_server(entrance, server.host, server.port, limit=limit)
    except OSError as error:
        raise unavailable(server, error) from None


def unavailable(server: TcpServer, error: OSError) -> OutputError:
    """Return that, and why, a server cannot listen at its address."""
    return OutputError(f"{server.host} port {server.port}: {error.strerror or error}")
