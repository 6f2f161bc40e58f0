"""The engine's command line: `python -m engine`; keys come from ENGINE_KEYS, never from arguments others can see."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvicorn
from pydantic import SecretStr

from engine.app import build
from engine.config import Config

GRACE_SECONDS = 2  # for answers under way when told to stop


class _Server(uvicorn.Server):
    """Says where it listens, on stdout and in a file, once it does."""

    def __init__(self, config: uvicorn.Config, port_file: Path | None) -> None:
        super().__init__(config)
        self._port_file = port_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        if self._port_file:
            draft = self._port_file.with_name(self._port_file.name + ".draft")
            draft.write_text(str(port))
            draft.replace(self._port_file)  # whoever waits for the file never reads half of it
        sys.stdout.write(f"engine ready on http://{host}:{port}\n")
        sys.stdout.flush()


def positive(text: str) -> float:
    """Read a number above 0. Raises ValueError."""
    if (number := float(text)) > 0:
        return number
    raise ValueError(text)


def count(text: str) -> int:
    """Read a whole number above 0. Raises ValueError."""
    return int(positive(str(int(text))))


def parser() -> argparse.ArgumentParser:
    """Every option, with its default."""
    default = Config(keys=())
    options = argparse.ArgumentParser(
        prog="python -m engine", description="Image API server. ENGINE_KEYS: its keys, comma-separated."
    )
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8480, help="0 takes a free one (default %(default)s)")
    options.add_argument("--port-file", type=Path, help="where to write the port once ready")
    options.add_argument("--public-url", help="base of result links (default: the address the client called)")
    options.add_argument("--allow-private", action="store_true", help="let links lead into private networks")
    options.add_argument("--rate", type=positive, help="requests a second for each key (default: any)")
    options.add_argument("--workers", type=count, default=default.workers)
    options.add_argument("--queue", type=count, default=default.queue, help="tasks at once (default %(default)s)")
    options.add_argument("--task-seconds", type=positive, default=default.task_seconds)
    options.add_argument("--keep-seconds", type=positive, default=default.keep_seconds)
    return options


def read_config(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Config:
    """Put arguments and environment together. Raises ValueError when there is no key."""
    keys = tuple(SecretStr(key.strip()) for key in environment.get("ENGINE_KEYS", "").split(",") if key.strip())
    if not keys:
        raise ValueError("ENGINE_KEYS holds no key: set one or more, comma-separated")
    return Config(
        keys=keys,
        public_url=arguments.public_url,
        allow_private=arguments.allow_private,
        rate=arguments.rate,
        workers=arguments.workers,
        queue=arguments.queue,
        task_seconds=arguments.task_seconds,
        keep_seconds=arguments.keep_seconds,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = parser()
    arguments = options.parse_args(argv)
    try:
        config = read_config(arguments, os.environ)
    except ValueError as error:
        options.error(str(error))
    server = _Server(
        uvicorn.Config(
            build(config),
            host=arguments.host,
            port=arguments.port,
            access_log=False,  # links to results would be in it
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
        arguments.port_file,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises it again after the end, for this to swallow
        signal.signal(number, lambda *_: None)
    asyncio.run(server.serve())


if __name__ == "__main__":
    main()
