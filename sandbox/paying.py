"""What a person does with an invoice: pays it in Stars, as far as the bot lets them."""

import asyncio
from typing import Any

from sandbox.errors import bad_request
from sandbox.people import Act
from sandbox.posting import post
from sandbox.updates import push

Json = dict[str, Any]
CHECKOUT_SECONDS = 10.0


async def pay(act: Act) -> Json:
    """Pay the invoice in a message and return the SuccessfulPayment.

    Refused with the bot's words when it says no, and with Telegram's when it says nothing for 10 seconds
    (or ``patience``). With ``twice`` the bot gets the update about the payment a second time.
    """
    world, person, message = act.world, act.person, act.chat.messages[act.asked["message"]]
    invoice, bot = message["invoice"], world.bots_by_id[message["from"]["id"]]
    query = str(9_000_000_000_000_000_000 + world.number())
    answered = bot.checkouts[query] = asyncio.get_running_loop().create_future()
    payment = {"currency": "XTR", "total_amount": invoice["total_amount"], "invoice_payload": message["_payload"]}
    push(world, bot, "pre_checkout_query", {"id": query, "from": person.user, **payment})
    try:
        refusal = await asyncio.wait_for(answered, act.asked.get("patience", CHECKOUT_SECONDS))
    except TimeoutError:
        raise bad_request("BOT_PRECHECKOUT_TIMEOUT") from None
    if refusal:
        raise bad_request(refusal)
    payment |= {"telegram_payment_charge_id": f"stx{query}", "provider_payment_charge_id": f"{bot.id}_{query}"}
    partner = {"type": "user", "transaction_type": "invoice_payment", "user": person.user}
    source = partner | {"invoice_payload": message["_payload"]}
    amount = {"id": payment["telegram_payment_charge_id"], "amount": invoice["total_amount"]}
    bot.stars.append({**amount, "date": world.now(), "source": source})
    paid = post(world, act.chat, {"from": person.user}, {"successful_payment": payment})
    if act.asked.get("twice"):
        push(world, bot, "message", paid)
    return payment
