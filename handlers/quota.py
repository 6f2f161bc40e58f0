"""/quota: what a chat may still spend, and where it went."""

from collections.abc import Sequence

from telegram import Update

from handlers.context import Context
from storage import ledger

ENTRIES = 10


async def quota(update: Update, context: Context) -> None:
    """/quota: credits left, when they come back, what each operation costs, the last entries."""
    message, house = update.message, context.house
    if message is None:
        return
    async with house.db.read() as conn:
        standing = await ledger.quota(conn, message.chat_id, house.terms)
        entries = await ledger.entries(conn, message.chat_id, ENTRIES)
    lines = [*standing_lines(context, standing), "", context.say("quota_costs")]
    for name, most in house.costs.items():
        least, operation = house.least_costs.get(name, most), context.say(f"button_{name}")
        key = "quota_cost" if least == most else "quota_cost_range"
        lines.append(context.say(key, operation=operation, n=most, low=least))
    if entries:
        lines += ["", context.say("quota_entries"), *entry_lines(context, entries)]
    if house.packs:
        lines += ["", context.say("quota_buy")]
    await context.reply(message, "\n".join(lines))


def standing_lines(context: Context, standing: ledger.Quota) -> list[str]:
    """Say what is left, when it comes back and what does not expire."""
    if standing.allowance is None or standing.left is None:
        lines = [context.say("quota_unlimited")]
    else:
        lines = [context.say("quota_left", n=standing.left)]
        if standing.allowance:
            used, allowance = min(standing.used, standing.allowance), standing.allowance
            key, renews_at = f"quota_{standing.kind}", standing.renews_at
            lines.append(context.say(key, used=used, allowance=allowance, renews_at=renews_at))
        if standing.lasting:
            lines.append(context.say("quota_bought", n=standing.lasting))
    if standing.member_cap is not None:
        lines.append(context.say("member_cap_is", n=standing.member_cap))
    return lines


def entry_lines(context: Context, entries: Sequence[ledger.Entry]) -> list[str]:
    """Say each ledger entry in a line."""
    return [
        f"{context.ago(entry.at)} · "
        + context.say("entry_taken" if entry.credits < 0 else f"entry_{entry.kind}", n=abs(entry.credits))
        for entry in entries
    ]
