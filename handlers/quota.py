"""/quota: what a chat may still spend."""

from telegram import Update

from handlers.context import Context
from storage import ledger


async def quota(update: Update, context: Context) -> None:
    """/quota: credits left, when they come back, what each operation costs."""
    message = update.message
    if message is None:
        return
    async with context.house.db.read() as conn:
        standing = await ledger.quota(conn, message.chat_id, context.house.terms)
    lines = [*_standing(context, standing), "", context.say("quota_costs")]
    lines += [
        context.say("quota_cost", operation=context.say(f"button_{name}"), n=cost)
        for name, cost in context.house.costs.items()
    ]
    await context.reply(message, "\n".join(lines))


def _standing(context: Context, standing: ledger.Quota) -> list[str]:
    if standing.allowance is None or standing.left is None:
        return [context.say("quota_unlimited")]
    lines = [context.say("quota_left", n=standing.left)]
    if standing.allowance:
        used, allowance = min(standing.used, standing.allowance), standing.allowance
        lines.append(context.say("quota_allowance", used=used, allowance=allowance, renews_at=standing.renews_at))
    if standing.lasting:
        lines.append(context.say("quota_bought", n=standing.lasting))
    return lines
