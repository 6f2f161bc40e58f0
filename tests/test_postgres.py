"""The clusters that tests run on: none is left behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.postgres import Server


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
    for _ in range(1200):
        if not Path(folder).exists():
            break
        time.sleep(0.05)  # nobody is left who could tell us
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER FUNCTION procrastinate_unregister_worker_v1 RENAME TO away",
        "ALTER TABLE jobs RENAME COLUMN state TO status",
        "ALTER TABLE jobs DROP CONSTRAINT pk_jobs CASCADE",
        "CREATE TABLE more (id int)",
    ],
)
def test_a_changed_database_is_lent_to_nobody(postgres: Server, change: str) -> None:
    """Whatever a test does to a schema, the next test does not meet it."""
    with postgres.lend() as url, psycopg.connect(url) as connection:
        connection.execute(change)
    with postgres.lend() as other:
        assert other != url


def test_an_unchanged_database_is_lent_again(postgres: Server) -> None:
    """Rows are cleared away, which is faster than a new database."""
    with postgres.lend() as url, psycopg.connect(url) as connection:
        connection.execute("INSERT INTO blocks VALUES (1, 2)")
    with postgres.lend() as same, psycopg.connect(same) as connection:
        assert same == url
        assert connection.execute("SELECT * FROM blocks").fetchall() == []
