"""What a group's own admins may set for it: how much each member may spend, and the clock on its wall."""

from zoneinfo import ZoneInfo

from telegram import Message

from handlers.context import Context
from handlers.guards import for_group_admins, number
from storage import quotas
from storage.database import Connection
from storage.quotas import Quota


@for_group_admins
async def membercap(message: Message, context: Context) -> None:
    """/membercap <n|none>: credits for each member and period."""
    word = context.typed.strip().lower()
    cap = None if word == "none" else number(word)
    if word != "none" and (cap is None or cap < 0):
        await context.reply(message, context.say("membercap_usage"))
        return
    await context.house.db.transact(lambda conn: quotas.set_member_cap(conn, message.chat_id, cap))
    text = context.say("member_cap_none") if cap is None else context.say("member_cap_is", n=cap)
    await context.reply(message, text)


@for_group_admins
async def timezone(message: Message, context: Context) -> None:
    """/timezone <Area/City|default>: when this chat's day begins."""
    word = context.typed.strip()
    house = context.house
    try:
        zone = None if word.lower() == "default" else ZoneInfo(word).key
    except (OSError, ValueError, KeyError):
        await context.reply(message, context.say("timezone_usage"))
        return

    async def work(conn: Connection) -> Quota:
        await quotas.set_zone(conn, message.chat_id, zone)
        return await quotas.quota(conn, message.chat_id, house.terms)

    quota = await house.db.transact(work)
    await context.reply(message, context.say("timezone_is", zone=quota.zone, renews_at=quota.renews_at))
