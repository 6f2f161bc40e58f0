"""Every table, as SQLAlchemy Core sees it; the migrations create exactly these (a test compares)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column declared exactly INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")

# Partial indexes say so for SQLite only: a word about PostgreSQL loads that dialect, 2 MB and 50 ms of every start.
# Where it is PostgreSQL, storage.migrations says it of that, too.

# All moments are seconds since the epoch, UTC.

inbox = Table(
    "inbox",
    metadata,
    Column("update_id", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),  # the update as Telegram's JSON
    Column("received_at", Float, nullable=False),
    Column("done_at", Float),
    Column("chat_id", BigInteger, nullable=False, server_default="0"),  # 0: of no chat
    Column("owner", BigInteger),  # the process that handles it; null: waits for one
    Index("ix_inbox_waiting", "chat_id", "update_id", sqlite_where=text("done_at IS NULL")),
    Index("ix_inbox_done_at", "done_at"),
)

chats = Table(
    "chats",
    metadata,
    Column("chat_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),  # private, group, supergroup, channel
    Column("title", Text),
    Column("username", String(64)),  # lower case, without @
    Column("language", String(16)),  # chosen by hand; null: follow the person's Telegram
    Column("allowance", Integer),  # null: the operator's default; -1: unlimited
    Column("period", String(8)),  # day, week, month; null: the operator's default
    Column("zone", String(64)),  # IANA time zone; null: the operator's default
    Column("member_cap", Integer),  # credits for each person and period; null: none
    Column("seen_at", Float, nullable=False),
    CheckConstraint("allowance >= -1", name="allowance"),
    CheckConstraint("member_cap >= 0", name="member_cap"),
    Index("ix_chats_username", "username"),
)

preferences = Table(
    "preferences",
    metadata,
    Column("chat_id", BigInteger, primary_key=True, autoincrement=False),
    Column("send_as", String(8)),  # photo, file, both; null: as suits the operation
    Column("id_size", String(32)),  # the ID photo preset used when none is named
    Column("id_background", String(6)),  # RRGGBB; null: as the document asks
)

stock = Table(
    "stock",
    metadata,
    Column("name", String(64), primary_key=True),  # a picture of our own, with a digest of its bytes
    Column("file_id", Text, nullable=False),  # where Telegram keeps it
)

expectations = Table(
    "expectations",
    metadata,
    Column("chat_id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("operation", String(16), nullable=False),
    Column("options", Text, nullable=False),
    Column("fresh", Integer, nullable=False, server_default="0"),  # 1: even if it was done before
    Column("prompt_id", BigInteger),  # the bot's message that asked
    Column("at", Float, nullable=False),
)

balances = Table(
    "balances",
    metadata,
    Column("chat_id", BigInteger, primary_key=True, autoincrement=False),
    Column("period", String(16), nullable=False),  # the period `used` belongs to, e.g. 2026-11-20
    Column("used", Integer, nullable=False),  # credits of the allowance held or spent in that period
    Column("granted", Integer, nullable=False),  # credits that do not expire, from an admin
    Column("bought", Integer, nullable=False),  # the same, paid for in Stars
    CheckConstraint("used >= 0", name="used"),
    CheckConstraint("granted >= 0", name="granted"),
    CheckConstraint("bought >= 0", name="bought"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("chat_id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),  # grant, purchase, hold, settle, release, refund
    Column("job_id", BigInteger),
    Column("credits", Integer, nullable=False),  # how many the entry is about
    Column("allowance", Integer, nullable=False),  # change to what is left of the allowance
    Column("granted", Integer, nullable=False),  # change to the granted credits
    Column("bought", Integer, nullable=False),  # change to the bought credits
    Column("period", String(16), nullable=False),
    Column("day", String(10), nullable=False),  # UTC; a close has its hold's
    Column("at", Float, nullable=False),
    Column("user_id", BigInteger),  # who asked for the photo, or paid
    Column("by", BigInteger),  # the admin who granted
    Column("note", Text),
    Column("source", String(128)),  # what must have effect only once: a message, a payment
    Index("ix_ledger_chat_id", "chat_id", "id"),
    Index("ix_ledger_period", "chat_id", "period"),
    Index("ix_ledger_person", "user_id", "day"),
    Index("uq_ledger_source", "source", unique=True),
    Index("uq_ledger_hold", "job_id", unique=True, sqlite_where=text("kind = 'hold'")),
    Index("uq_ledger_close", "job_id", unique=True, sqlite_where=text("kind IN ('settle', 'release')")),
)

spending = Table(
    "spending",
    metadata,
    Column("day", String(10), primary_key=True),  # UTC
    Column("credits", Integer, nullable=False),  # held or settled that day, over all chats
    CheckConstraint("credits >= 0", name="credits"),
)

payments = Table(
    "payments",
    metadata,
    Column("charge_id", String(128), primary_key=True),  # Telegram's telegram_payment_charge_id
    Column("user_id", BigInteger, nullable=False),  # who paid
    Column("chat_id", BigInteger, nullable=False),  # who got the credits
    Column("credits", Integer, nullable=False),
    Column("stars", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("refunded_at", Float),
    Column("told", Integer, nullable=False, server_default="0"),  # the person has a receipt
    CheckConstraint("credits > 0", name="credits"),
    CheckConstraint("stars > 0", name="stars"),
    Index("ix_payments_at", "at"),
)

blocks = Table(
    "blocks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # a chat or a person
    Column("at", Float, nullable=False),
)

paces = Table(
    "paces",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("until", Float, nullable=False),  # when this person's photos would be done at the rate allowed
)

actions = Table(
    "actions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", Float, nullable=False),
    Column("by", BigInteger, nullable=False),  # the admin
    Column("what", Text, nullable=False),  # the command as it was written
    Column("chat_id", BigInteger),  # what it was done to, if a chat
    Column("source", String(128), nullable=False),  # the message or press, which has effect only once
    Index("uq_actions_source", "source", unique=True),
)

pauses = Table(
    "pauses",
    metadata,
    Column("provider", String(16), primary_key=True),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("chat_id", BigInteger, nullable=False),
    Column("source", String(64), nullable=False),  # the message or callback query that asked
    Column("place", Integer, nullable=False),  # which picture of it
    Column("thread_id", BigInteger),
    Column("user_id", BigInteger, nullable=False),
    Column("reply_to", BigInteger, nullable=False),
    Column("language", String(16), nullable=False),
    Column("file_id", Text, nullable=False),
    Column("file_unique_id", String(64), nullable=False),
    Column("file_kind", String(16), nullable=False),
    Column("file_name", Text),
    Column("file_size", BigInteger),
    Column("operation", String(16), nullable=False),
    Column("options", Text, nullable=False),
    Column("send_as", String(8)),  # photo, file, both; null: as suits the operation
    Column("state", String(16), nullable=False),
    Column("provider", String(16)),
    Column("task_id", String(128)),
    Column("submits", Integer, nullable=False, server_default="0"),  # paid requests in a row of unknown outcome
    Column("worked", Float, nullable=False, server_default="0"),  # seconds of work, downtime not counted
    Column("error", String(64)),
    Column("error_params", Text),
    Column("told", Integer, nullable=False, server_default="0"),  # the person knows how it ended
    Column("album", BigInteger),  # part of an album: the message that asked, which the results answer; 0: it is gone
    Column("reuse", Text),  # what an earlier job made of this picture (see results.files): nothing to pay
    Column("progress_id", BigInteger),  # the message that shows how far it is, while there is one
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("owner", BigInteger),  # the process that works on it; 0: handed to procrastinate; null: waits for its turn
    Column("epoch", Integer, nullable=False, server_default="0"),  # grows with each owner: an earlier one may not write
    Column("task", BigInteger),  # procrastinate's number of the call that has its owner work on it
    Column("stop", Integer, nullable=False, server_default="0"),  # 1: the person gave it up, and its owner must hear
    UniqueConstraint("chat_id", "source", "place"),
    Index("ix_jobs_unfinished", "chat_id", "id", sqlite_where=text("told = 0")),
    Index("ix_jobs_updated_at", "updated_at"),
)

results = Table(
    "results",
    metadata,
    Column("file_unique_id", String(64), primary_key=True),  # the original
    Column("operation", String(16), primary_key=True),
    Column("options", Text, primary_key=True),
    Column("files", Text, nullable=False),  # what Telegram keeps of the result, as JSON: [["photo", file_id], …]
    Column("at", Float, nullable=False),
    Index("ix_results_at", "at"),
)

album_pictures = Table(
    "album_pictures",
    metadata,
    Column("chat_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", String(64), nullable=False),  # Telegram's media_group_id
    Column("user_id", BigInteger, nullable=False),
    Column("picture", Text, nullable=False),  # a jobs.job.Picture as JSON
    Column("at", Float, nullable=False),
    Index("ix_album_pictures_group_id", "chat_id", "group_id", "message_id"),
    Index("ix_album_pictures_at", "at"),
)

offers = Table(
    "offers",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("chat_id", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("requests", Text, nullable=False),  # what a button will have done, as JSON: columns of jobs
    Column("at", Float, nullable=False),
    Index("ix_offers_at", "at"),
)

albums = Table(
    "albums",
    metadata,
    Column("chat_id", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", String(64), primary_key=True),  # Telegram's media_group_id
    Column("update_id", BigInteger, nullable=False),  # its first picture, in the inbox
    Column("asked", BigInteger),  # the update that says what to do with it, in the inbox
    Column("wish", Text),  # what that is, as JSON
    Column("awaited", Integer, nullable=False, server_default="0"),  # 1: the wish was made before the album came
    Column("due_at", Float),  # when it is complete unless more comes; null: it was
    Column("told", Integer, nullable=False, server_default="0"),  # 1: its person knows that we saw but one picture
    Column("at", Float, nullable=False),
    Index("ix_albums_due_at", "due_at"),
    Index("ix_albums_at", "at"),
)

# From here on: what processes that share a database say to each other.

processes = Table(
    "processes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("role", String(8), nullable=False),  # run, web, worker
    Column("beat_at", Float, nullable=False),  # when it last said that it lives, by the database's clock
    Column("states", Text),  # its providers' states, as JSON: {"gptge": ["closed", 1.2]}, with seconds a request
)

calls = Table(
    "calls",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256, in hex, of what is in the callback's URL
    Column("came_at", Float),
    Column("task_id", String(128)),  # what the call named, unverified
    Column("at", Float, nullable=False),
    Index("ix_calls_at", "at"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("key", String(64), primary_key=True),  # what the admins were told of
    Column("at", Float, nullable=False),
)
