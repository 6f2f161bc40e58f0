"""/privacy says what is kept and for how long; /forgetme deletes it, after a confirmation."""

from collections.abc import Mapping

from telegram import InlineKeyboardMarkup, Update

from handlers.context import Context
from handlers.pressed import Act, Pressed
from handlers.presses import button
from storage import forgetting


async def privacy(update: Update, context: Context) -> None:
    """/privacy: what is kept, and for how long."""
    if update.message:
        await context.reply(update.message, context.say("privacy", n=context.house.keep_days))


async def forgetme(update: Update, context: Context) -> None:
    """/forgetme: ask whether it is meant."""
    message = update.message
    if message is None or message.from_user is None:
        return
    user_id = message.from_user.id
    yes = button(context.say("button_forget"), "forget", user_id)
    no = button(context.say("button_keep"), "keep", user_id)
    await context.reply(message, context.say("forgetme"), InlineKeyboardMarkup([[yes], [no]]))


async def forget(pressed: Pressed, context: Context) -> str | None:
    """Stop the person's jobs and delete what is kept about them. Nobody can do this for another."""
    if pressed.person != pressed.press.user_id:
        return context.say("press_not_yours")
    house = context.house
    async with house.db.read() as conn:
        unfinished = await forgetting.unfinished(conn, pressed.person)
    for job_id in unfinished:
        await house.desk.cancel(job_id)
    async with house.db.begin() as conn:  # looks at every row of some tables: too long for `transact`
        await forgetting.forget(conn, pressed.person)
    await pressed.show(context, context.say("forgotten"), None)
    return None


async def keep(pressed: Pressed, context: Context) -> None:
    """Leave everything as it is."""
    await pressed.show(context, context.say("kept"), None)


ACTS: Mapping[str, Act] = {"forget": forget, "keep": keep}
