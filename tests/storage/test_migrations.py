"""The migrations prove themselves on both databases: up, down, up again; what they make is what tables.py says."""

import multiprocessing
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage import audit, inbox, jobs, ledger, migrations
from storage.ledger import Terms
from storage.tables import metadata
from tests.databases import reached
from tests.postgres import Server
from tests.storage.places import Place, place

__all__ = ["place"]

FIRST_ROWS = """
INSERT INTO inbox VALUES (7, '{"update_id":7}', 1, NULL), (6, '{"update_id":6}', 1, 2);
INSERT INTO jobs (chat_id, source, place, user_id, reply_to, language, file_id, file_unique_id, file_kind, operation,
    options, state, created_at, updated_at)
VALUES (-5, 'm1', 0, 8, 1, 'en', 'f', 'u', 'photo', 'colorize', '{}', 'submitted', 1, 1);
INSERT INTO balances VALUES (-5, '2026-11-20', 2, 3, 0);
INSERT INTO spending VALUES ('2026-11-20', 2);
INSERT INTO ledger (chat_id, kind, job_id, credits, allowance, granted, bought, period, day, at, source)
VALUES (-5, 'grant', NULL, 3, 0, 3, 0, '2026-11-20', '2026-11-20', 1, 'g'),
    (-5, 'hold', 1, 2, -2, 0, 0, '2026-11-20', '2026-11-20', 1, NULL)
"""


def climb(place: Place, step: str = "head") -> None:
    """Take every step to `step`, instead of making the tables of tables.py."""
    with place.connected() as connection:
        command.upgrade(migrations.config(connection), step)


def test_up_down_up(place: Place) -> None:
    """Every step can be taken, taken back and taken again, and leaves nothing behind."""
    with place.connected() as connection:
        config = migrations.config(connection)
        steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()][::-1]
        assert steps
        for number, step in enumerate(steps):
            command.upgrade(config, step)
            command.downgrade(config, steps[number - 1] if number else "base")
            command.upgrade(config, step)
    top = place.schema()
    with place.connected() as connection:
        command.downgrade(migrations.config(connection), "base")
    assert {name for name in place.schema() if "alembic_version" not in name} == set()
    climb(place)
    assert place.schema() == top


def test_head_is_the_last_step(tmp_path: Path) -> None:
    """HEAD, which spares a start the import of Alembic, names the newest step."""
    with Place(f"sqlite:///{tmp_path / 'head.db'}").connected() as connection:
        assert ScriptDirectory.from_config(migrations.config(connection)).get_current_head() == migrations.HEAD


def test_models_match(place: Place) -> None:
    """Alembic finds no difference between the migrated database and tables.py."""
    climb(place)

    def is_ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        return not (kind == "table" and (name == "rates" or str(name).startswith("procrastinate_")))

    with place.connected() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_ours})
        assert compare_metadata(context, metadata) == []


def test_the_steps_lead_to_the_tables(place: Place, path: Path, server_url: str) -> None:
    """What Alembic does not compare is the same, too: checks, the WHERE of indexes, functions, types."""
    climb(place)
    assert described(place) == described(Place(server_url if place.on_server else f"sqlite:///{path}"))
    partial = {name for name, sql in place.schema().items() if " WHERE " in sql}
    assert partial >= {"ix_inbox_waiting", "ix_jobs_unfinished", "uq_ledger_close", "uq_ledger_hold"}


def described(place: Place) -> dict[str, str]:
    """Give the schema in a form that does not depend on the order of columns, nor Alembic's own table."""
    found = {}
    for name, sql in place.schema().items():
        text = sql if place.on_server else " ".join(sql.split()).partition("(")[2].removesuffix(")")
        found[name] = ", ".join(sorted(part.strip() for part in text.split(", ")))
    return {name: text for name, text in found.items() if "alembic_version" not in name}


def test_again_changes_nothing(place: Place) -> None:
    """A database at HEAD is left as it is, by the owner and by `darkroom check`."""
    place.bring_up()
    before = place.schema()
    place.bring_up(upgrade=True)
    place.bring_up(upgrade=False)
    assert place.schema() == before


async def test_the_first_schema_with_rows_in_it(place: Place) -> None:
    """What an older program wrote is still right: its work goes on, and its books balance."""
    climb(place, "0001")
    with place.connected() as connection:
        for sql in FIRST_ROWS.split(";"):
            connection.exec_driver_sql(sql)
    async with reached(place.url.render_as_string(hide_password=False)) as db, db.begin() as conn:
        assert await audit.differences(conn) == []
        assert await inbox.claim(conn, 1, (), shared=db.on_server) == [{"update_id": 7}]
        assert await jobs.unfinished(conn) == [(1, -5)]
        row = await jobs.get(conn, 1)
        assert row is not None
        assert (row["owner"], row["epoch"], row["stop"], row["task"]) == (None, 0, 0, None)
        assert await ledger.settle(conn, 1, actual=1) == 1
        await jobs.update(conn, 1, state="delivered", told=1)
        assert (await ledger.quota(conn, -5, Terms(5))).granted == 3
        assert await audit.differences(conn) == []


def test_a_newer_schema_is_refused(place: Place) -> None:
    """A database of a newer program is not touched."""
    place.bring_up()
    with place.connected() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for upgrade in (True, False):
        with pytest.raises(migrations.SchemaError, match="newer than this program"):
            place.bring_up(upgrade=upgrade)


def test_old_or_missing_refused_without_upgrade(place: Place) -> None:
    """`darkroom check` neither makes nor changes a database."""
    with pytest.raises(migrations.SchemaError, match="darkroom run"):
        place.bring_up(upgrade=False)
    assert place.on_server or not Path(str(place.url.database)).exists()
    with place.connected() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
    before = place.schema()
    with pytest.raises(migrations.SchemaError, match="darkroom run"):
        place.bring_up(upgrade=False)
    assert place.schema() == before


def test_a_path_that_looks_like_a_url(tmp_path: Path) -> None:
    """`%`, `?` and `#` in a file name mean themselves."""
    path = tmp_path / "100%25 #1?mode=memory.db"
    migrations.bring_up(path, upgrade=True)
    migrations.bring_up(path, upgrade=False)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrations.HEAD,)]


def bring_up_and_die(place: Place) -> None:
    def die(*_: object) -> None:
        os._exit(9)

    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *args: die() if "spending" in args[2] else None)
    place.bring_up()


def test_killed_in_the_middle(place: Place) -> None:
    """A first start that is killed half-way leaves nothing that stops the second."""
    process = multiprocessing.get_context("spawn").Process(target=bring_up_and_die, args=(place,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert place.schema() == {}
    place.bring_up()
    assert any("spending" in name for name in place.schema())


def test_frozen_in_the_middle(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that freezes while it brings the schema up keeps no other from starting."""
    monkeypatch.setattr(migrations, "SILENCE", "77s")
    place = Place(postgres.create("frozen"))
    frozen, thawed = threading.Event(), threading.Event()
    said: list[str] = []

    def freeze(*arguments: Any) -> None:
        if "spending" in arguments[2] and not frozen.is_set():
            arguments[1].execute("SHOW idle_in_transaction_session_timeout")
            said.extend(arguments[1].fetchone())
            arguments[1].execute("SET LOCAL idle_in_transaction_session_timeout = '1ms'")  # the others take their time
            frozen.set()
            thawed.wait(120)

    sa.event.listen(sa.Engine, "before_cursor_execute", freeze)
    try:
        with ThreadPoolExecutor() as threads:
            first = threads.submit(place.bring_up)
            assert frozen.wait(60)
            threads.submit(place.bring_up).result(60)
            thawed.set()
            assert isinstance(first.exception(60), sa.exc.DBAPIError)
    finally:
        thawed.set()
        sa.event.remove(sa.Engine, "before_cursor_execute", freeze)
    assert said == ["77s"]
    place.bring_up(upgrade=False)
    postgres.drop("frozen")


def test_two_processes_start_at_once(server_url: str, postgres: Server) -> None:
    """Of processes that find an empty database one makes the tables and the other finds them made."""
    place = Place(postgres.create("at_once"))
    starts = [multiprocessing.get_context("spawn").Process(target=place.bring_up) for _ in range(2)]
    waiting = "SELECT count(*) FROM pg_locks, pg_sleep(0.01) WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(place.url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('darkroom schema'))")
        for start in starts:
            start.start()
        while connection.execute(waiting).fetchall() != [(2,)]:
            assert all(start.is_alive() for start in starts)
    for start in starts:
        start.join()
    assert [start.exitcode for start in starts] == [0, 0]
    assert place.schema() == Place(server_url).schema()
    postgres.drop("at_once")
