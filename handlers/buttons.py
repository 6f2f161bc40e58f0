"""What happens when a button is pressed. Every press is answered, also one nobody understands any more."""

from collections.abc import Mapping

from telegram import Message, Update

from handlers import developing, preferences, presets, printing, privacy
from handlers.context import Context
from handlers.guards import may_press
from handlers.pressed import Act, Pressed, StaleError
from handlers.presses import Press

ACTS: Mapping[str, Act] = {**developing.ACTS, **printing.ACTS, **presets.ACTS, **preferences.ACTS, **privacy.ACTS}
"""What each verb does."""


async def on_press(update: Update, context: Context) -> None:
    """Do what a button says if whoever pressed it may, and answer in a toast at most."""
    query = update.callback_query
    if query is None:
        return
    press = Press.read(query.data)
    message = query.message if isinstance(query.message, Message) else None
    act = ACTS.get(press.verb) if press else None
    if press is None or message is None or act is None:
        await context.quietly(query.answer(context.say("press_too_old")))
        return
    pressed = Pressed(press, query, message)
    if not await may_press(context, query, message, press.user_id):
        toast: str | None = context.say("press_not_yours")
    else:
        try:
            toast = await act(pressed, context)
        except StaleError:
            toast = context.say("press_too_old")
    await pressed.answer(context, toast)
