"""The clusters that tests run on: none is left behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest


def test_a_cluster_outlives_nobody() -> None:
    """However a process ends that runs a cluster, server and folder go with it."""
    code = (
        "import asyncio, os, signal\n"
        "from tests.postgres import cluster\n"
        "async def main():\n"
        "    async with cluster() as server:\n"
        "        print(server._folder, server.url('postgres'), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    folder, url = done.stdout.split()
    for _ in range(200):
        if not Path(folder).exists():
            break
        time.sleep(0.05)  # nobody is left who could tell us
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert not Path(folder).exists()
