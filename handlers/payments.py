"""Credits for Telegram Stars: packs to buy, the checkout, the payment, the receipt, and giving it back."""

from dataclasses import dataclass
from functools import partial
from typing import Self

import stamina
import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LabeledPrice, Message, Update
from telegram.error import BadRequest, NetworkError

from handlers.addressing import is_private
from handlers.context import Context, topic_of
from handlers.guards import for_admins, note
from storage import chats, people
from storage import payments as rows
from storage.database import Connection
from storage.ledger import Terms

STARS = "XTR"
PAGE = 10
"""Payments that /payments lists: with their charge ids more would not fit into a message."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an invoice sells: `credits` for `stars`, to the chat `chat_id`."""

    chat_id: int
    credits: int
    stars: int

    def pack(self) -> str:
        """Give the payload that Telegram brings back, at most 128 bytes. The 1 in front is the format's version."""
        return f"1:{self.chat_id}:{self.credits}:{self.stars}"

    @classmethod
    def read(cls, payload: str) -> Self | None:
        """Read a payload; None for any that is not ours."""
        version, *words = payload.split(":")
        try:
            return cls(*map(int, words)) if version == "1" else None
        except (TypeError, ValueError):
            return None


async def buy(update: Update, context: Context) -> None:
    """/buy: offer the packs, for this chat."""
    message, packs = update.message, context.house.packs
    if message is None:
        return
    buttons = [
        [InlineKeyboardButton(context.say("buy_pack", n=n, stars=stars), callback_data=f"b:{n}:{stars}")]
        for n, stars in packs.items()
    ]
    words = context.say("buy" if is_private(message) else "buy_group")
    await context.reply(message, words, InlineKeyboardMarkup(buttons))


async def pack_chosen(update: Update, context: Context) -> None:
    """Send the invoice for the pack on the button: `b:<credits>:<stars>`."""
    query = update.callback_query
    message = query.message if query and isinstance(query.message, Message) else None
    if query is None:
        return
    _, n, stars = (query.data or "").split(":")
    invoice = Invoice(message.chat_id if message else query.from_user.id, int(n), int(stars))
    if context.house.packs.get(invoice.credits) != invoice.stars:
        await context.quietly(query.answer(context.say("buy_gone"), show_alert=True))
        return
    title = context.say("buy_title", n=invoice.credits)
    await context.bot.send_invoice(
        invoice.chat_id,
        title,
        context.say("buy_description", n=invoice.credits),
        invoice.pack(),
        STARS,
        [LabeledPrice(title, invoice.stars)],
        message_thread_id=topic_of(message) if message else None,
    )
    await context.quietly(query.answer())


async def checkout(update: Update, context: Context) -> None:
    """Let a payment go on if the pack, its price and who pays are still right; nothing is asked that could be slow."""
    query = update.pre_checkout_query
    if query is None:
        return
    house, invoice = context.house, Invoice.read(query.invoice_payload)
    refusal = None
    if invoice is None or query.currency != STARS or house.packs.get(invoice.credits) != query.total_amount:
        refusal = "buy_gone"
    elif await house.db.look(lambda conn: people.blocked(conn, query.from_user.id, invoice.chat_id)):
        refusal = "refused_blocked"
    elif house.allowed_chats is not None and invoice.chat_id not in house.allowed_chats:
        refusal = "buy_gone"
    await query.answer(ok=refusal is None, error_message=context.say(refusal) if refusal else None)


async def paid(update: Update, context: Context) -> None:
    """Credit a payment, once however often Telegram tells of it, and give a receipt."""
    message = update.message
    payment = message.successful_payment if message else None
    if message is None or payment is None:
        return
    invoice, charge = Invoice.read(payment.invoice_payload), payment.telegram_payment_charge_id
    if invoice is None:
        log.error("payment_not_ours", charge=charge)
        return
    house, stars = context.house, payment.total_amount
    person = message.from_user.id if message.from_user else message.chat_id

    async def work(conn: Connection) -> rows.Payment | None:
        # The invoice names the chat, as it can be forwarded and paid elsewhere; unless that became a supergroup since.
        chat_id = invoice.chat_id if await chats.get(conn, invoice.chat_id) else message.chat_id
        about = {"user_id": person, "credits": invoice.credits, "stars": stars}
        await rows.credit(conn, chat_id, house.terms, charge_id=charge, **about)
        return await rows.get(conn, charge)

    standing = await house.db.persist(work)
    if standing is None or not standing.told:
        receipt = context.say("paid", n=invoice.credits, stars=stars, charge=charge)
        await context.quietly(_give_receipt(message, context, receipt, charge))


async def _give_receipt(message: Message, context: Context, receipt: str, charge: str) -> None:
    async for attempt in stamina.retry_context(on=_passes, attempts=6, timeout=60):
        with attempt:
            await context.reply(message, receipt)
    await context.house.db.persist(lambda conn: rows.set_told(conn, charge))


def _passes(error: Exception) -> bool:
    return isinstance(error, NetworkError) and not isinstance(error, BadRequest)


async def given_back(update: Update, context: Context) -> None:
    """Take the credits back when Telegram tells that it returned the Stars, whoever asked it to."""
    refunded = update.message.refunded_payment if update.message else None
    if refunded:
        charge, terms = refunded.telegram_payment_charge_id, context.house.terms
        await context.house.db.persist(lambda conn: rows.reverse(conn, charge, terms))


async def paysupport(update: Update, context: Context) -> None:
    """/paysupport: what to do when something is wrong with a payment (Telegram demands this command)."""
    if update.message:
        await context.reply(update.message, context.say("paysupport"))


@for_admins
async def refund(message: Message, context: Context) -> None:
    """/refund <charge id>: the Stars go back, the chat's bought credits are taken back as far as they are there."""
    house, charge = context.house, context.typed.strip()
    if not charge:
        await context.reply(message, context.say("refund_usage"))
        return
    payment = await house.db.look(lambda conn: rows.get(conn, charge))
    if payment is None:
        await context.reply(message, context.say("refund_unknown"))
        return
    try:
        await context.bot.refund_star_payment(payment.user_id, charge)
    except BadRequest as error:
        # Given back before, by us before a crash or by hand: then only our books are behind.
        if "already_refunded" not in error.message.lower():
            await context.reply(message, context.say("refund_failed", reason=error.message))
            return
    taken = await house.db.persist(partial(_reverse, message=message, terms=house.terms, payment=payment))
    key = "refund_before" if payment.refunded_at else "refund_done"
    await context.reply(message, context.say(key, stars=payment.stars, n=taken, chat=str(payment.chat_id)))


async def _reverse(conn: Connection, message: Message, terms: Terms, payment: rows.Payment) -> int:
    by = message.from_user.id if message.from_user else None
    await rows.reverse(conn, payment.charge_id, terms, by=by)
    await note(conn, message, payment.chat_id)
    return await rows.taken_back(conn, payment.charge_id)


@for_admins
async def payments(message: Message, context: Context) -> None:
    """/payments: the newest payments, with their charge ids."""
    async with context.house.db.read() as conn:
        newest = await rows.newest(conn, PAGE)
    lines = []
    for one in newest:
        key = "payments_refunded" if one.refunded_at else "payments_line"
        lines.append(
            f"{context.ago(one.at)} · "
            + context.say(key, n=one.credits, stars=one.stars, chat=str(one.chat_id), user=str(one.user_id))
            + f"\n{one.charge_id}"
        )
    await context.reply(message, "\n".join([context.say("payments_title"), *(lines or ["-"])]))
