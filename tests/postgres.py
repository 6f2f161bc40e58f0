"""PostgreSQL for tests, chaos and benchmarks: clusters of one's own in temporary folders, which outlive nobody."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from storage import migrations

NO_SERVER = "PostgreSQL's server programs are needed and there is no initdb: apt install postgresql"
_USER = "darkroom"
_SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200"}
_RISKY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
# Reads until whoever holds the other end of its input is gone, whatever became of him.
_WATCHDOG = 'cat; "$1" stop -D "$2/data" -m immediate; rm -rf "$2"'
# Copying a database takes a hundred milliseconds and more on a busy disk, emptying one a few.
_EMPTY = """
DO $$
DECLARE
    command text;
BEGIN
    LOOP
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid != pg_backend_pid();
        EXIT WHEN NOT FOUND;
        PERFORM pg_sleep(0.002), pg_stat_clear_snapshot();  -- until it has ended it may still commit
    END LOOP;
    SET LOCAL session_replication_role = replica;  -- no triggers, no foreign keys
    FOR command IN
        SELECT format('DELETE FROM %I', tablename) FROM pg_tables
            WHERE schemaname = 'public' AND tablename != 'alembic_version'
        UNION ALL SELECT format('SELECT setval(%L, 1, false)', quote_ident(sequencename)) FROM pg_sequences
    LOOP
        EXECUTE command;
    END LOOP;
END $$
"""
# Every object's row in the catalog is written anew when it changes, so the newest writer and the number tell.
_SCHEMA = "\nUNION ALL ".join(
    f"SELECT count(*), max(xmin::text::bigint) FROM {catalog}"  # noqa: S608 - the catalogs named here
    for catalog in ("pg_class", "pg_attribute", "pg_constraint", "pg_proc", "pg_trigger", "pg_type")
)


class NoServerError(RuntimeError):
    """There is no initdb on this machine."""


class Server:
    """A PostgreSQL cluster. Its methods wait for what they do: inside an event loop call them in a thread."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._programs = _programs()
        self._account = _account()
        self._settings = _SETTINGS if durable else _SETTINGS | _RISKY
        self._watchdog: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._empty: list[str] = []

    @property
    def pid(self) -> int:
        """The server's process, whose children serve one connection each."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def make(self) -> None:
        """Make the cluster in its folder and start it; from here on it ends when this process does."""
        if self._account:
            shutil.chown(self._folder, self._account["user"])
        guard = ["sh", "-c", _WATCHDOG, "watchdog", str(self._programs / "pg_ctl"), str(self._folder)]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        self._watchdog = subprocess.Popen(guard, stdin=subprocess.PIPE, cwd="/", **quiet, **self._account)
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={_USER}")
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self._settings.items())
        for attempts_left in (2, 1, 0):
            self.port = 20_000 + secrets.randbelow(12_000)  # below those that the kernel gives to clients
            try:
                self.start()
            except RuntimeError:
                if not attempts_left:
                    raise
            else:
                return

    def start(self) -> None:
        """Start it, on the port it had before."""
        self._run("pg_ctl", "start", "-w", "-l", str(self._folder / "log"), "-o", f"-p {self.port}")

    def restart(self) -> None:
        """Stop it as an upgrade does, cutting every connection, and start it again."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast")
        self.start()

    def admit(self, network: str, *, at: str) -> None:
        """Let a network of the tests' own in, at another address of loopback."""
        with (self._data / "pg_hba.conf").open("a") as rules, (self._data / "postgresql.conf").open("a") as settings:
            rules.write(f"host all all {network} trust\n")
            settings.write(f"listen_addresses = '127.0.0.1,{at}'\n")
        self.restart()

    def kill(self) -> None:
        """Stop it as a crash does: nothing is finished or written, and `start` has to recover from the log."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def end(self) -> None:
        """Kill it and remove its folder."""
        if self._watchdog and self._watchdog.stdin:
            self._watchdog.stdin.close()
            self._watchdog.wait()

    def url(self, name: str) -> str:
        """Give the URL of a database, whether or not it exists."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str = "template1") -> str:
        """Create a database as a copy of `template`, to which nobody is connected, and give its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            # With fsync off copying files is the faster way; before PostgreSQL 15 it was the only one.
            new = connection.info.server_version >= 150_000 and self._settings is not _SETTINGS
            text = "CREATE DATABASE {} TEMPLATE {}" + " STRATEGY file_copy" * new
            connection.execute(sql.SQL(text).format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def lend(self) -> Iterator[str]:
        """Give the URL of a database like `migrated`; afterwards it is emptied for whoever needs one next."""
        if not self._empty:
            self._empty.append(f"test_{secrets.token_hex(8)}")
            self.create(self._empty[0], "migrated")
        name = self._empty.pop()
        with psycopg.connect(self.url(name)) as connection:
            before = connection.execute(_SCHEMA).fetchall()
        yield self.url(name)
        with psycopg.connect(self.url(name)) as connection:
            connection.execute(_EMPTY)
            connection.execute("UPDATE alembic_version SET version_num = %s", [migrations.HEAD])
            as_before = connection.execute(_SCHEMA).fetchall() == before
        if as_before:
            self._empty.append(name)
        else:
            self.drop(name)  # somebody made, changed or dropped a table, a function or the like

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments, "-D", str(self._data)]
        # A file and not a pipe, which the server would inherit and keep open.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, cwd="/", check=False, **self._account
            )
            said.seek(0)
            text = said.read().decode(errors="replace")
        if done.returncode:
            with suppress(OSError):
                text += (self._folder / "log").read_text(errors="replace")[-2000:]
            message = f"{program} failed:\n{text}"
            raise RuntimeError(message)


def _programs() -> Path:
    """Find the folder with initdb and pg_ctl. Raises NoServerError."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    packaged = Path("/usr/lib/postgresql").glob("*/bin/initdb")  # Debian keeps them out of PATH, by version
    try:
        return max(packaged, key=lambda path: float(path.parts[-3])).parent
    except ValueError:
        raise NoServerError(NO_SERVER) from None


def _account() -> dict[str, Any]:
    """Say as whom the server runs, which refuses to be root's."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
    raise NoServerError("PostgreSQL does not run as root, and there is no user postgres or nobody")


@asynccontextmanager
async def cluster(folder: Path | None = None, *, durable: bool = False) -> AsyncIterator[Server]:
    """Run a cluster in `folder`, which the unprivileged user must be able to reach, or in a temporary one.

    `durable` has it keep what it committed through crashes, as in production. At the end, however this process ends,
    the cluster is stopped and its folder removed. Raises NoServerError, or RuntimeError with what the server said.
    """
    server = Server(folder or Path(tempfile.mkdtemp(prefix="darkroom-postgres-")), durable=durable)
    try:
        server.make()
        yield server
    finally:
        server.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Give a cluster for this process's tests, with a migrated database called `migrated` to be copied."""
    try:
        server = Server(Path(tempfile.mkdtemp(prefix="darkroom-postgres-")), durable=False)
    except NoServerError as error:
        pytest.fail(str(error), pytrace=False)
    try:
        server.make()
        url = sa.make_url(server.create("migrated")).set(drivername="postgresql+psycopg")
        migrations.bring_up_server(url, upgrade=True)
        yield server
    finally:
        server.end()


@pytest.fixture
def server_url(postgres: Server) -> Iterator[str]:
    """Give the URL of a fresh, empty database at the newest schema."""
    with postgres.lend() as url:
        yield url
