"""The migrations prove themselves: up, down, up again; what they make is what tables.py says."""

import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage import migrations
from storage.tables import metadata


@contextmanager
def connected(path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"))


@pytest.fixture
def climbed(tmp_path: Path) -> Path:
    """Give a database that took every step, instead of one made from tables.py."""
    path = tmp_path / "climbed.db"
    with connected(path) as connection:
        migrations.upgrade_to_head(connection)
    return path


def test_up_down_up(tmp_path: Path) -> None:
    """Every step can be taken, taken back and taken again, and leaves nothing behind."""
    path = tmp_path / "stairs.db"
    with connected(path) as connection:
        config = migrations.config(connection)
        steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()][::-1]
        assert steps
        for number, step in enumerate(steps):
            command.upgrade(config, step)
            command.downgrade(config, steps[number - 1] if number else "base")
            command.upgrade(config, step)
    top = schema(path)
    with connected(path) as connection:
        command.downgrade(migrations.config(connection), "base")
    assert set(schema(path)) == {"alembic_version"}
    with connected(path) as connection:
        command.upgrade(migrations.config(connection), "head")
    assert schema(path) == top


def test_head_is_the_last_step(climbed: Path) -> None:
    """HEAD, which spares a start the import of Alembic, names the newest step."""
    with connected(climbed) as connection:
        assert ScriptDirectory.from_config(migrations.config(connection)).get_current_head() == migrations.HEAD


def test_models_match(climbed: Path) -> None:
    """Alembic finds no difference between the migrated database and tables.py."""
    with connected(climbed) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_constraints_and_partial_indexes_match(climbed: Path, tmp_path: Path) -> None:
    """What Alembic does not compare, checks and the WHERE of indexes, is the same too."""
    plain = tmp_path / "plain.db"
    with connected(plain) as connection:
        metadata.create_all(connection)

    def described(path: Path) -> dict[str, str]:
        found = {}
        for name, sql in schema(path).items():
            parts = " ".join(sql.split()).partition("(")[2].removesuffix(")").split(", ")
            found[name] = ", ".join(sorted(part.strip() for part in parts))
        found.pop("alembic_version", None)
        return found

    assert described(climbed) == described(plain)
    partial = [name for name, sql in schema(climbed).items() if " WHERE " in sql]
    assert sorted(partial) == ["ix_inbox_waiting", "ix_jobs_unfinished", "uq_ledger_close", "uq_ledger_hold"]


def test_again_changes_nothing(path: Path) -> None:
    """A database at HEAD is left as it is, by the owner and by `darkroom check`."""
    before = schema(path)
    migrations.bring_up(path, upgrade=True)
    migrations.bring_up(path, upgrade=False)
    assert schema(path) == before


def test_newer_schema_refused(path: Path) -> None:
    """A database of a newer program is not touched."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for upgrade in (True, False):
        with pytest.raises(migrations.SchemaError, match="newer than this program"):
            migrations.bring_up(path, upgrade=upgrade)


def test_old_or_missing_refused_without_upgrade(tmp_path: Path) -> None:
    """`darkroom check` neither makes nor changes a database."""
    missing, foreign = tmp_path / "missing.db", tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE t (a)")
    for path in (missing, foreign):
        with pytest.raises(migrations.SchemaError, match="darkroom run"):
            migrations.bring_up(path, upgrade=False)
    assert not missing.exists()
    assert set(schema(foreign)) == {"t"}


def test_a_path_that_looks_like_a_url(tmp_path: Path) -> None:
    """`%`, `?` and `#` in a file name mean themselves."""
    path = tmp_path / "100%25 #1?mode=memory.db"
    migrations.bring_up(path, upgrade=True)
    migrations.bring_up(path, upgrade=False)
    assert path.exists()


def upgrade_and_die(path: Path) -> None:
    def die(*_: object) -> None:
        os._exit(9)

    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *args: die() if "spending" in args[2] else None)
    migrations.bring_up(path, upgrade=True)


def test_killed_in_the_middle(tmp_path: Path) -> None:
    """A first start that is killed half-way leaves nothing that stops the second."""
    path = tmp_path / "killed.db"
    process = multiprocessing.get_context("spawn").Process(target=upgrade_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert schema(path) == {}
    migrations.bring_up(path, upgrade=True)
    assert "spending" in schema(path)
