"""``python -m sandbox``: serve until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from sandbox.server import TOKEN, Sandbox


async def serve(arguments: argparse.Namespace) -> None:
    """Serve, say where in one line (and in the port file), and stop when asked to."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    sandbox = Sandbox(
        arguments.token, username=arguments.username, privacy=not arguments.no_privacy, port=arguments.port
    )
    url = await sandbox.start()
    if arguments.port_file:
        partial = arguments.port_file.with_suffix(".partial")
        partial.write_text(url.rpartition(":")[2] + "\n")
        partial.rename(arguments.port_file)  # whoever waits for the file finds it whole
    print(f"sandbox ready at {url}", flush=True)  # noqa: T201  the ready line
    await stopped.wait()
    await sandbox.stop()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it listens")
    parser.add_argument("--token", default=TOKEN, help="the bot's token")
    parser.add_argument("--username", default="darkroom_bot", help="the bot's username")
    parser.add_argument("--no-privacy", action="store_true", help="the bot sees everything in groups")
    logging.basicConfig(level=logging.WARNING, format="sandbox: %(levelname)s %(message)s")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
