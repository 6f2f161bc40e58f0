"""What people do in Telegram, and what the bot answers."""

from telegram import Update
from telegram.ext import (
    CallbackQueryHandler,
    ChatMemberHandler,
    MessageHandler,
    PreCheckoutQueryHandler,
    TypeHandler,
    filters,
)

from handlers.addressing import OnCommand, door
from handlers.admin import block, grant, setquota, unblock
from handlers.buttons import on_press
from handlers.colorize import colorize
from handlers.context import App, House
from handlers.cutout import cutout
from handlers.enhance import enhance
from handlers.errors import on_error
from handlers.export import export
from handlers.groups import became_supergroup, membership
from handlers.history import again, cancel, jobs
from handlers.idphoto import idphoto
from handlers.incoming import PICTURED, photo, something_else
from handlers.keyboards import result_buttons
from handlers.members import membercap, timezone
from handlers.overview import chat, chats_, chats_turned, log, provider_switched, providers
from handlers.payments import buy, checkout, given_back, pack_chosen, paid, payments, paysupport, refund
from handlers.preferences import settings
from handlers.presets import presets
from handlers.privacy import forgetme, privacy
from handlers.progress import stop
from handlers.quota import quota
from handlers.requests import some
from handlers.start import help_, id_, start, unknown_command
from handlers.stats import stats

__all__ = ["register", "result_buttons"]

DOOR = -1
"""PTB's groups run in order, and in each the first handler that matches: the door comes before the house."""


def register(application: App, house: House) -> None:
    """Hang the house into the application and list what it does. The order matters; each step says why."""
    application.bot_data.house = house
    application.add_error_handler(on_error)
    application.add_handler(TypeHandler(Update, door), group=DOOR)
    # Edited messages and channel posts match nothing below: what was asked is what was sent first, by a person.
    new = filters.UpdateType.MESSAGE
    application.add_handlers(
        [
            # A group that moved says so in messages that carry nothing else.
            MessageHandler(new & filters.StatusUpdate.MIGRATE, became_supergroup),
            ChatMemberHandler(membership, ChatMemberHandler.MY_CHAT_MEMBER),
            # The four operations, written as text or under a picture.
            OnCommand(colorize, "colorize"),
            OnCommand(enhance, "enhance"),
            OnCommand(idphoto, "idphoto"),
            OnCommand(cutout, "cutout"),
            # What everyone may ask.
            OnCommand(start, "start"),
            OnCommand(help_, "help"),
            OnCommand(id_, "id"),
            OnCommand(presets, "presets"),
            OnCommand(settings, "settings"),
            OnCommand(privacy, "privacy"),
            OnCommand(forgetme, "forgetme"),
            OnCommand(quota, "quota"),
            OnCommand(cancel, "cancel"),
            OnCommand(jobs, "jobs"),
            OnCommand(again, "again"),
            # Buttons that know by a number what they are about; all others come last.
            CallbackQueryHandler(stop, r"^stop:\d{1,18}$"),
            CallbackQueryHandler(some, r"^some:\d{1,18}$"),
            # What only admins may.
            OnCommand(setquota, "setquota"),
            OnCommand(grant, "grant"),
            OnCommand(block, "block"),
            OnCommand(unblock, "unblock"),
            OnCommand(chat, "chat"),
            OnCommand(chats_, "chats"),
            OnCommand(providers, "providers"),
            OnCommand(stats, "stats"),
            OnCommand(export, "export"),
            OnCommand(log, "log"),
            OnCommand(payments, "payments"),
            OnCommand(refund, "refund"),
            CallbackQueryHandler(chats_turned, r"^a:chats:(top|recent|blocked):\d{1,6}$"),
            CallbackQueryHandler(provider_switched, r"^a:(pause|resume):\w+$"),
            # What a group's own admins may.
            OnCommand(membercap, "membercap"),
            OnCommand(timezone, "timezone"),
            # What was paid is credited and taken back, and a checkout answered, also when the sale is over.
            MessageHandler(filters.SUCCESSFUL_PAYMENT, paid),
            MessageHandler(filters.StatusUpdate.REFUNDED_PAYMENT, given_back),
            PreCheckoutQueryHandler(checkout),
            CallbackQueryHandler(pack_chosen, r"^b:\d{1,6}:\d{1,6}$"),
            # Without packs nobody hears of buying.
            *([OnCommand(buy, "buy"), OnCommand(paysupport, "paysupport")] if house.packs else []),
            # Any command that is none of these: after them, before what people send without a command.
            OnCommand(unknown_command),
            # Pictures without a command, then whatever else somebody sends and is told what to send instead.
            MessageHandler(new & PICTURED, photo),
            MessageHandler(new & ~filters.StatusUpdate.ALL, something_else),
            CallbackQueryHandler(on_press),
        ]
    )
