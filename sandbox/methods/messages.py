"""Methods that say something: texts, chat actions, reactions, answers to pressed buttons."""

from typing import Any

from sandbox.errors import bad_request
from sandbox.formatting import formatted
from sandbox.parameters import REACTIONS
from sandbox.posting import chat_for_bot, markup, permitted, post, reply_target, topic
from sandbox.registry import Call, method
from sandbox.world import Chat

Json = dict[str, Any]
TEXT_LENGTH = 4096
ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice",
    "upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip


def say(call: Call, content: Json, chat: Chat | None = None) -> Json:
    """Post a message from the calling bot, with the parameters that all sending methods share."""
    chat = chat or chat_for_bot(call.world, call.bot, call["chat_id"])
    permitted(call.bot, chat, content)
    content |= markup(chat, call.get("reply_markup"))
    reply = reply_target(chat, call.get("reply_parameters"))
    thread = topic(chat, call.get("message_thread_id"))
    sender = {"from": call.bot.user}
    return call.world.for_bot(post(call.world, chat, sender, content, reply=reply, thread=thread), call.bot)  # type: ignore[no-any-return]  # a dict in, a dict out


def text_content(call: Call) -> Json:
    """Return the text and its entities, as they stand in a message."""
    text, entities = formatted(call["text"], call.get("parse_mode"), call.get("entities"))
    if not text:
        raise bad_request("message text is empty")
    if len(text) > TEXT_LENGTH:
        raise bad_request("message is too long")
    return {"text": text, **({"entities": entities} if entities else {})}


@method
async def sendMessage(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Send a text."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    return say(call, text_content(call), chat)


@method
async def sendChatAction(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Show people that the bot is doing something."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    if call["action"] not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat.note("action", action=call["action"], thread=topic(chat, call.get("message_thread_id")))
    return True


@method
async def setMessageReaction(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Put at most one reaction on a message."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    if call["message_id"] not in chat.messages:
        raise bad_request("message to react not found")
    reaction = call.get("reaction", [])
    if len(reaction) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if any(one["type"] != "emoji" or one["emoji"] not in REACTIONS for one in reaction):
        raise bad_request("REACTION_INVALID")
    chat.note("reaction", message_id=call["message_id"], reaction=reaction, by=call.bot.id)
    return True


@method
async def answerCallbackQuery(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Answer a pressed button; each query can be answered once."""
    query = call.bot.queries.pop(call["callback_query_id"], None)
    if query is None:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(call.get("text", "")) > 200:  # noqa: PLR2004  the reference's limit
        raise bad_request("MESSAGE_TOO_LONG")
    chat = call.world.chats[query["chat"]]
    chat.note("answer", query=call["callback_query_id"], text=call.get("text"), alert=call.get("show_alert", False))
    return True
