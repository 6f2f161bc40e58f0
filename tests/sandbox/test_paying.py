"""Telegram Stars: an invoice, the checkout, the payment, the refund; and groups that do not permit everything."""

import asyncio

import pytest
from telegram import Bot, LabeledPrice
from telegram.error import BadRequest

from sandbox import ControlError, Message, Person, Telegram

PRICE = [LabeledPrice("20 credits", 25)]


async def invoice(bot: Bot, ann: Person) -> Message:
    await bot.send_invoice(ann.id, "20 credits", "For 20 photos", "pack:20", "XTR", PRICE)
    return await ann.chat.wait_for(lambda message: "invoice" in message)


async def checkout(bot: Bot, *, error: str | None = None) -> None:
    (update,) = await bot.get_updates(timeout=10)
    assert update.pre_checkout_query is not None
    assert (update.pre_checkout_query.invoice_payload, update.pre_checkout_query.total_amount) == ("pack:20", 25)
    await update.pre_checkout_query.answer(ok=error is None, error_message=error)
    await bot.get_updates(offset=update.update_id + 1)


async def test_a_payment_is_checked_and_arrives(bot: Bot, ann: Person) -> None:
    """After the bot's yes the payment arrives (twice if asked), is listed, and can be given back once."""
    paying = asyncio.create_task(ann.pay(await invoice(bot, ann), twice=True))
    await checkout(bot)
    charge = (await paying)["telegram_payment_charge_id"]
    payments = [update.message.successful_payment for update in await bot.get_updates() if update.message]
    assert [payment and payment.telegram_payment_charge_id for payment in payments] == [charge, charge]
    assert (await bot.get_my_star_balance()).amount == 25
    assert await bot.refund_star_payment(ann.id, charge)
    assert (await bot.get_my_star_balance()).amount == 0
    listed = (await bot.get_star_transactions()).transactions
    assert [(entry.id, bool(entry.source), bool(entry.receiver)) for entry in listed] == [
        (charge, True, False),
        (charge, False, True),
    ]
    with pytest.raises(BadRequest, match="Charge_already_refunded"):
        await bot.refund_star_payment(ann.id, charge)
    with pytest.raises(BadRequest, match="Charge_not_found"):
        await bot.refund_star_payment(ann.id, "other")
    with pytest.raises(BadRequest, match="Limit_invalid"):
        await bot.get_star_transactions(limit=101)


async def test_a_payment_the_bot_refuses(bot: Bot, ann: Person) -> None:
    """The person reads why not; silence ends it too, and an answer after that is too late."""
    message = await invoice(bot, ann)
    paying = asyncio.create_task(ann.pay(message))
    await checkout(bot, error="This pack is gone.")
    with pytest.raises(ControlError, match="This pack is gone"):
        await paying
    with pytest.raises(ControlError, match="BOT_PRECHECKOUT_TIMEOUT"):
        await ann.pay(message, patience=0.01)
    (update,) = await bot.get_updates()
    assert update.pre_checkout_query is not None
    with pytest.raises(BadRequest, match="Query is too old"):
        await update.pre_checkout_query.answer(ok=True)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"currency": "EUR"}, "Payment_provider_invalid"),
        ({"prices": PRICE * 2}, "Stars_invoice_invalid"),
        ({"prices": [LabeledPrice("free", 0)]}, "Currency_total_amount_invalid"),
        ({"payload": "x" * 129}, "Invoice_payload_invalid"),
        ({"title": "x" * 33}, "Invoice_title"),
    ],
)
async def test_invoices_that_are_refused(bot: Bot, changed: dict[str, object], words: str) -> None:
    """Stars only, one price, within the limits; a link is made under the same rules."""
    right = {"title": "a", "description": "b", "payload": "c", "currency": "XTR", "prices": PRICE}
    assert (await bot.create_invoice_link(**right)).startswith("https://t.me/")  # type: ignore[arg-type]  # by name
    with pytest.raises(BadRequest, match=words):
        await bot.create_invoice_link(**(right | changed))  # type: ignore[arg-type]  # by name


async def test_a_group_may_not_permit_photos(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A member cannot send what the group forbids; an admin can; getChat tells beforehand."""
    chat = await tg.group("Quiet", [ann])
    await chat.permit(can_send_photos=False)
    permissions = (await bot.get_chat(chat.id)).permissions
    assert permissions is not None
    assert (permissions.can_send_photos, permissions.can_send_documents) == (False, True)
    mine = await bot.send_photo(
        ann.id, b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    )
    with pytest.raises(BadRequest, match="Not enough rights to send photos to the chat"):
        await bot.send_photo(chat.id, mine.photo[0].file_id)
    await ann.set_member(chat, tg.bot["id"], "administrator")
    assert (await bot.send_photo(chat.id, mine.photo[0].file_id)).photo


async def test_writing_to_a_blocked_bot_unblocks_it(bot: Bot, ann: Person) -> None:
    """The bot is told that it is welcome again, then gets the message."""
    await ann.block()
    await ann.send(text="back again")
    blocked, unblocked, said = await bot.get_updates()
    assert blocked.my_chat_member is not None
    assert unblocked.my_chat_member is not None
    assert unblocked.my_chat_member.new_chat_member.status == "member"
    assert said.message is not None
