"""Methods about Telegram Stars: invoices, checkout, refunds and the list of transactions."""

from typing import Any

from sandbox.errors import bad_request
from sandbox.methods.messages import say
from sandbox.posting import chat_for_bot, post
from sandbox.registry import Call, method

Json = dict[str, Any]
PAYLOAD_BYTES = 128
TITLE_LENGTH = 32
DESCRIPTION_LENGTH = 255
MOST_TRANSACTIONS = 100


def invoice_content(call: Call) -> Json:
    """Return the invoice as it stands in a message; digital goods are sold in Stars, at one price."""
    if call["currency"] != "XTR" or call.get("provider_token"):
        raise bad_request("PAYMENT_PROVIDER_INVALID")
    if len(call["prices"]) != 1:
        raise bad_request("STARS_INVOICE_INVALID")
    if not 1 <= len(call["payload"].encode()) <= PAYLOAD_BYTES:
        raise bad_request("INVOICE_PAYLOAD_INVALID")
    if not (1 <= len(call["title"]) <= TITLE_LENGTH and 1 <= len(call["description"]) <= DESCRIPTION_LENGTH):
        raise bad_request("INVOICE_TITLE_OR_DESCRIPTION_INVALID")
    amount = call["prices"][0]["amount"]
    if amount < 1:
        raise bad_request("CURRENCY_TOTAL_AMOUNT_INVALID")
    invoice = {"title": call["title"], "description": call["description"], "start_parameter": ""}
    return {"invoice": invoice | {"currency": "XTR", "total_amount": amount}, "_payload": call["payload"]}


@method
async def sendInvoice(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Send an invoice that people in the chat can pay."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    rows = call.get("reply_markup", {}).get("inline_keyboard")
    if rows and not rows[0][0].get("pay"):
        raise bad_request("the first button of an invoice must be a pay button")
    return say(call, invoice_content(call), chat)


@method
async def createInvoiceLink(call: Call) -> str:  # noqa: N802  Telegram's name
    """Return a link to an invoice; nobody in the sandbox can open it."""
    invoice_content(call)
    return f"https://t.me/$sandbox{call.world.number()}"


@method
async def answerPreCheckoutQuery(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Let the payment go on, or say why not; once, and in time."""
    waiting = call.bot.checkouts.pop(call["pre_checkout_query_id"], None)
    if waiting is None or waiting.done():
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if not call["ok"] and not call.get("error_message"):
        raise bad_request("error_message must be non-empty")
    waiting.set_result("" if call["ok"] else call["error_message"])
    return True


@method
async def refundStarPayment(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Give a payment back, once; the payer sees it."""
    charge = call["telegram_payment_charge_id"]
    paid = [entry for entry in call.bot.stars if entry["id"] == charge]
    if not paid or paid[0]["source"]["user"]["id"] != call["user_id"]:
        raise bad_request("CHARGE_NOT_FOUND")
    if len(paid) > 1:
        raise bad_request("CHARGE_ALREADY_REFUNDED")
    source = paid[0]["source"]
    refund = {"id": charge, "amount": paid[0]["amount"], "date": call.world.now(), "receiver": source}
    call.bot.stars.append(refund)
    person = call.world.persons[call["user_id"]]
    payment = {"currency": "XTR", "total_amount": paid[0]["amount"], "invoice_payload": source["invoice_payload"]}
    chat = call.world.private_chat(person, call.bot)
    post(
        call.world, chat, {"from": person.user}, {"refunded_payment": payment | {"telegram_payment_charge_id": charge}}
    )
    return True


@method
async def getStarTransactions(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Return transactions, oldest first: payments have a source, refunds a receiver."""
    first, most = call.get("offset", 0), call.get("limit", MOST_TRANSACTIONS)
    if not 1 <= most <= MOST_TRANSACTIONS:
        raise bad_request("LIMIT_INVALID")
    return {"transactions": call.bot.stars[first : first + most]}


@method
async def getMyStarBalance(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Return how many Stars the bot has."""
    return {"amount": sum(entry["amount"] * (1 if "source" in entry else -1) for entry in call.bot.stars)}
