"""many processes on one database: who owns what, and what they say to each other."""

import sqlalchemy as sa
from alembic import op

from storage.migrations import postgres

revision = "0002"
down_revision = "0001"

_PARTIAL = {
    "inbox": ("ix_inbox_waiting", ["update_id"], ["chat_id", "update_id"], sa.text("done_at IS NULL")),
    "jobs": ("ix_jobs_unfinished", ["id"], ["chat_id", "id"], sa.text("told = 0")),
}


def upgrade() -> None:
    op.add_column("inbox", sa.Column("chat_id", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("inbox", sa.Column("owner", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("owner", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("epoch", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("task", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("stop", sa.Integer(), server_default="0", nullable=False))
    for table, (name, _, now, where) in _PARTIAL.items():
        _index_anew(name, table, now, where)
    op.create_table(
        "albums",
        sa.Column("chat_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("update_id", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=True),
        sa.Column("wish", sa.Text(), nullable=True),
        sa.Column("awaited", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.Float(), nullable=True),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("chat_id", "group_id", name=op.f("pk_albums")),
    )
    op.create_index("ix_albums_due_at", "albums", ["due_at"])
    op.create_index("ix_albums_at", "albums", ["at"])
    op.create_table(
        "processes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("beat_at", sa.Float(), nullable=False),
        sa.Column("states", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_table(
        "calls",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("came_at", sa.Float(), nullable=True),
        sa.Column("task_id", sa.String(length=128), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_calls")),
    )
    op.create_index("ix_calls_at", "calls", ["at"])
    op.create_table(
        "alerts",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alerts")),
    )
    if op.get_bind().dialect.name == "postgresql":
        postgres.add(op.get_bind())


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        postgres.remove(op.get_bind())
    for table in ("alerts", "calls", "processes", "albums"):
        op.drop_table(table)
    for table, (name, before, _, where) in _PARTIAL.items():
        _index_anew(name, table, before, where)
    for column in ("stop", "task", "epoch", "owner"):
        op.drop_column("jobs", column)
    for column in ("owner", "chat_id"):
        op.drop_column("inbox", column)


def _index_anew(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.drop_index(name, table)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
