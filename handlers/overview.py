"""What those who run the bot may look at: a chat, all chats, all jobs, the providers, the log of their own orders."""

import time
from datetime import UTC, datetime
from statistics import fmean

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update

from handlers.context import Context
from handlers.guards import for_admins, named
from handlers.quota import entry_lines, standing_lines
from storage import chats, ledger, overview, people
from storage.database import Connection, Row

PAGE = 10
DAY = 86_400.0
_WORSE = ("closed", "half_open", "open")
WINDOW = 30 * DAY
"""How far back a chat's spending is summed in the list."""


@for_admins
async def chat(message: Message, context: Context) -> None:
    """/chat <who>: its quota, its last jobs, its last entries."""
    try:
        who = await named(message, context)
    except ValueError:
        await context.reply(message, context.say("chat_usage"))
        return
    if who is None:
        return
    house = context.house
    async with house.db.read() as conn:
        known = await chats.get(conn, who.chat_id)
        standing = await ledger.quota(conn, who.chat_id, house.terms)
        entries = await ledger.entries(conn, who.chat_id, PAGE)
        jobs = await overview.newest_jobs(conn, PAGE, who.chat_id)
        blocked = await people.blocked(conn, who.chat_id)
    title = (known.title or known.username) if known else None
    lines = [context.say("chat_title", chat=str(who.chat_id), title=title or "-")]
    if blocked:
        lines.append(context.say("chat_blocked"))
    lines += standing_lines(context, standing)
    if jobs:
        lines += ["", context.say("jobs_all_title"), *(_job_line(context, row) for row in jobs)]
    if entries:
        lines += ["", context.say("quota_entries"), *entry_lines(context, entries)]
    await context.reply(message, "\n".join(lines))


@for_admins
async def jobs_all(message: Message, context: Context) -> None:
    """/jobs all: the newest jobs of every chat."""
    async with context.house.db.read() as conn:
        rows = await overview.newest_jobs(conn, 2 * PAGE)
    lines = [f"{_job_line(context, row)} · {row['chat_id']}" for row in rows]
    await context.reply(message, "\n".join([context.say("jobs_all_title"), *lines]))


def _job_line(context: Context, row: Row) -> str:
    state, operation = row["error"] or row["state"], context.say(f"button_{row['operation']}")
    return f"{context.ago(row['created_at'])} · {operation} · {state} · {row['provider'] or '-'}"


@for_admins
async def chats_(message: Message, context: Context) -> None:
    """/chats [top|recent|blocked]: the chats by what they spent, when they were seen, or who may not come in."""
    word = context.typed.strip().lower() or "top"
    order = next((each for each in overview.ORDERS if each == word), None)
    if order is None:
        await context.reply(message, context.say("chats_usage"))
        return
    text, buttons = await _chats_page(context, order, 0)
    await context.reply(message, text, buttons)


async def chats_turned(update: Update, context: Context) -> None:
    """Turn a page of /chats: `a:chats:<order>:<page>`, for admins only."""
    query = update.callback_query
    if query is None or query.data is None:
        return
    if query.from_user.id not in context.house.admin_ids:
        await context.quietly(query.answer(context.say("admin_only")))
        return
    _, _, order, page = query.data.split(":")
    known = next(each for each in overview.ORDERS if each == order)
    text, buttons = await _chats_page(context, known, int(page))
    await context.quietly(query.answer())
    await context.quietly(query.edit_message_text(text, reply_markup=buttons))


async def _chats_page(context: Context, order: overview.Order, page: int) -> tuple[str, InlineKeyboardMarkup | None]:
    async with context.house.db.read() as conn:
        rows = await overview.list_chats(conn, order, time.time() - WINDOW, PAGE + 1, page * PAGE)
    lines = [
        f"{row['chat_id']} · {row['title'] or '-'} · "
        + context.say("chats_spent", n=row["spent"], seen=datetime.fromtimestamp(row["seen_at"], UTC))
        for row in rows[:PAGE]
    ]
    steps = [("◀", page - 1)] if page else []
    steps += [("▶", page + 1)] if len(rows) > PAGE else []
    buttons = [InlineKeyboardButton(sign, callback_data=f"a:chats:{order}:{to}") for sign, to in steps]
    text = "\n".join([context.say(f"chats_{order}"), *(lines or ["-"])])
    return text, InlineKeyboardMarkup([buttons]) if buttons else None


@for_admins
async def providers(message: Message, context: Context) -> None:
    """Answer /providers: state, latency and spending of each, with a button to pause it or go on."""
    await context.reply(message, *await _providers(context))


async def provider_switched(update: Update, context: Context) -> None:
    """Pause a provider or let it go on: `a:pause:<name>` or `a:resume:<name>`, for admins only."""
    query = update.callback_query
    if query is None or query.data is None:
        return
    house, mine = context.house, context.house.providers
    _, what, name = query.data.split(":")
    if query.from_user.id not in house.admin_ids:
        await context.quietly(query.answer(context.say("admin_only")))
        return
    if name in await _states(context):

        async def work(conn: Connection) -> None:
            await people.set_paused(conn, name, paused=what == "pause")
            await people.note_action(conn, query.from_user.id, f"{what} {name}", None, f"c{query.id}")

        await house.db.transact(work)
        if mine and name in mine.states():  # here at once; elsewhere at the next beat
            (mine.pause if what == "pause" else mine.resume)(name)
    text, buttons = await _providers(context)
    await context.quietly(query.answer())
    await context.quietly(query.edit_message_text(text, reply_markup=buttons))


async def _providers(context: Context) -> tuple[str, InlineKeyboardMarkup]:
    house = context.house
    async with house.db.read() as conn:
        spent = await overview.spent_with_providers(conn, time.time() - DAY)
    lines, buttons = [context.say("providers_title")], []
    for name, (state, seconds) in (await _states(context)).items():
        credits, photos = spent.get(name, (0, 0))
        latency = "-" if seconds is None else f"{seconds:.1f} s"
        about = {"name": name, "state": context.say(f"provider_{state}"), "latency": latency}
        lines.append(context.say("providers_line", **about, photos=photos, n=credits))
        what = "resume" if state == "paused" else "pause"
        label = context.say(f"providers_{what}", name=name)
        buttons.append([InlineKeyboardButton(label, callback_data=f"a:{what}:{name}")])
    return "\n".join(lines), InlineKeyboardMarkup(buttons)


async def _states(context: Context) -> dict[str, tuple[str, float | None]]:
    """Give each provider's state and its seconds per request: this process's, or of all the worst and the mean."""
    house, mine = context.house, context.house.providers
    own = {name: (state, house.latency(name)) for name, state in (mine.states() if mine else {}).items()}
    if not house.db.on_server:
        return own
    async with house.db.read() as conn:
        known, paused = await overview.provider_states(conn), await people.all_paused(conn)
    states = {}
    for name in dict.fromkeys([*own, *(name for one in known for name in one)]):
        seen = [one[name] for one in known if name in one] or [own[name]]
        seconds = [each for _, each in seen if each is not None]
        worst = max((state for state, _ in seen if state != "paused"), key=_WORSE.index, default="closed")
        states[name] = "paused" if name in paused else worst, fmean(seconds) if seconds else None
    return states


@for_admins
async def log(message: Message, context: Context) -> None:
    """/log: what admins did, newest first."""
    async with context.house.db.read() as conn:
        rows = await people.newest_actions(conn, 2 * PAGE)
    lines = [f"{context.ago(row['at'])} · {row['by']} · {row['what']}" for row in rows]
    await context.reply(message, "\n".join([context.say("log_title"), *(lines or ["-"])])[:4096])
