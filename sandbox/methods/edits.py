"""Methods that change or delete what was sent."""

from typing import Any

from sandbox.errors import bad_request
from sandbox.methods.media import album_item, caption_content
from sandbox.methods.messages import text_content
from sandbox.posting import chat_for_bot, markup, may_delete
from sandbox.registry import Call, method
from sandbox.world import Chat

Json = dict[str, Any]
CONTENT = {"text", "entities", "photo", "document", "caption", "caption_entities", "has_media_spoiler", "_markup"}
SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


def _own(call: Call) -> tuple[Chat, Json]:
    """Return the chat and the bot's own message that is to be edited."""
    if "chat_id" not in call.parameters or "message_id" not in call.parameters:
        raise bad_request("message identifier is not specified")
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    message = chat.messages.get(call["message_id"])
    if message is None:
        raise bad_request("message to edit not found")
    if message["from"]["id"] != call.bot.id:
        raise bad_request("message can't be edited")
    return chat, message


def _replace(call: Call, content: Json, dropped: set[str]) -> Json:
    """Put *content* in the place of *dropped* and of the keyboard; 400 when nothing changes."""
    chat, message = _own(call)
    dropped = dropped | {"reply_markup"}
    content |= markup(chat, call.get("reply_markup"))
    if {name: value for name, value in message.items() if name in dropped} == content:
        raise bad_request(SAME)
    for name in dropped:
        message.pop(name, None)
    message |= content | {"edit_date": call.world.now()}
    chat.note("edited", message=dict(message))
    return call.world.for_bot(message, call.bot)  # type: ignore[no-any-return]  # a dict in, a dict out


@method
async def editMessageText(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Change the text of a text message."""
    if "text" not in _own(call)[1]:
        raise bad_request("there is no text in the message to edit")
    return _replace(call, text_content(call), {"text", "entities"})


@method
async def editMessageCaption(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Change the caption of a photo or file."""
    if not {"photo", "document"} & _own(call)[1].keys():
        raise bad_request("there is no caption in the message to edit")
    content = caption_content(call.get("caption"), call.get("parse_mode"), call.get("caption_entities"))
    return _replace(call, content, {"caption", "caption_entities"})


@method
async def editMessageMedia(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Put a picture or file in the place of what the message was, a text included."""
    if "media_group_id" in _own(call)[1] and call["media"]["type"] not in _own(call)[1]:
        raise bad_request("message can't be edited: other media type needed")
    return _replace(call, await album_item(call, call["media"]), CONTENT)


@method
async def editMessageReplyMarkup(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Change the buttons only."""
    return _replace(call, {}, set())


@method
async def deleteMessage(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Delete a message."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    _delete(call, chat, call["message_id"])
    return True


@method
async def deleteMessages(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Delete several messages, passing over those that are gone."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    if not 1 <= len(call["message_ids"]) <= 100:  # noqa: PLR2004  the reference's limit
        raise bad_request("wrong number of message identifiers")
    for message_id in call["message_ids"]:
        if message_id in chat.messages:
            _delete(call, chat, message_id)
    return True


def _delete(call: Call, chat: Chat, message_id: int) -> None:
    if message_id not in chat.messages:
        raise bad_request("message to delete not found")
    if not may_delete(call.bot, chat, chat.messages[message_id]):
        raise bad_request("message can't be deleted")
    del chat.messages[message_id]
    chat.note("deleted", message_id=message_id)
