"""What a person does in Telegram: writes, sends pictures and albums, edits, presses, joins, leaves, blocks."""

from dataclasses import dataclass
from typing import Any

from sandbox.entities import found_in
from sandbox.errors import bad_request
from sandbox.members import set_blocked
from sandbox.methods.media import new_document, new_photo
from sandbox.parameters import Upload
from sandbox.posting import post
from sandbox.updates import deliver, push
from sandbox.world import Chat, Person, World

Json = dict[str, Any]


@dataclass(frozen=True)
class Act:
    """One thing somebody does: what was asked through the control API, and files that came with it."""

    world: World
    asked: Json
    uploads: list[Upload]

    @property
    def person(self) -> Person:
        """Who does it."""
        return self.world.persons[self.asked["person"]]

    @property
    def chat(self) -> Chat:
        """Where."""
        try:
            return self.world.chats[self.asked["chat"]]
        except KeyError:
            raise bad_request("the sandbox has no such chat") from None


def words_of(asked: Json, *, caption: bool) -> Json:
    """Return text or caption with the entities a server finds in it."""
    prefix = "caption_" if caption else ""
    words = asked.get("caption" if caption else "text")
    if not words:
        return {}
    entities = found_in(words)
    return {"caption" if caption else "text": words, **({f"{prefix}entities": entities} if entities else {})}


def speak(act: Act, content: Json) -> Json:
    """Post a message of the acting person, as themselves, as a channel or as the group (anonymous admin)."""
    chat, asked, user = act.chat, act.asked, act.person.user
    if chat.private and chat.bot is not None:
        act.person.started.add(chat.bot)
        if chat.bot in act.person.blocked:
            set_blocked(act.world, act.person, act.world.bots_by_id[chat.bot], blocked=False)
    elif user["id"] not in chat.members:
        raise bad_request("this person is not in the chat")
    sender: Json = {"from": user}
    if asked.get("anonymous"):
        anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
        sender = {"from": anonymous, "sender_chat": chat.shape}
    elif asked.get("sender_chat"):
        channel = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
        sender = {"from": channel, "sender_chat": asked["sender_chat"]}
    reply = chat.messages[asked["reply_to"]] if asked.get("reply_to") else None
    content |= asked.get("extra") or {}
    return post(act.world, chat, sender, content, reply=reply, thread=asked.get("thread"))


async def send(act: Act) -> list[Json]:
    """Send a text, or the uploads: each as asked (``as``: photo, document or sticker), an album if several."""
    if not act.uploads:
        return [speak(act, act.asked.get("content") or words_of(act.asked, caption=False))]
    contents = [await _uploaded(act, upload) for upload in act.uploads]
    contents[0] |= words_of(act.asked, caption=True)
    if len(contents) > 1:
        group = str(14_000_000_000_000_000 + act.world.number())
        contents = [content | {"media_group_id": group} for content in contents]
    return [speak(act, content) for content in contents]


async def _uploaded(act: Act, upload: Upload) -> Json:
    if act.asked["as"] == "photo":
        return await new_photo(act.world, upload.data)
    if act.asked["as"] == "sticker":
        about = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        file = act.world.add_file("sticker", upload.data, suffix=".webp", mime="image/webp", **about)
        return {"sticker": file.shape}
    return await new_document(act.world, upload.data, upload.name, upload.mime)


async def again(act: Act) -> list[Json]:
    """Send the picture of an earlier message once more, without uploading it."""
    source = act.world.chats[act.asked["source_chat"]].messages[act.asked["source"]]
    content = {kind: source[kind] for kind in ("photo", "document", "sticker") if kind in source}
    return [speak(act, content | words_of(act.asked, caption=True))]


async def edit(act: Act) -> Json:
    """Change the words of one's message."""
    message = act.chat.messages[act.asked["message"]]
    caption = "text" not in message
    for name in ("text", "entities", "caption", "caption_entities"):
        message.pop(name, None)
    words = act.asked["text"]
    message |= words_of({"caption": words, "text": words}, caption=caption)
    message["edit_date"] = act.world.now()
    act.chat.note("edited", message=dict(message))
    deliver(act.world, act.chat, message, "edited_message")
    return message


async def delete(act: Act) -> bool:
    """Delete a message; bots are not told."""
    del act.chat.messages[act.asked["message"]]
    act.chat.note("deleted", message_id=act.asked["message"])
    return True


async def press(act: Act) -> str:
    """Press the inline button with these words (or this data); return the callback query's id."""
    message = act.chat.messages[act.asked["message"]]
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    wanted = act.asked["button"]
    for button in (button for row in rows for button in row):
        if wanted in {button["text"], button.get("callback_data")} and "callback_data" in button:
            break
    else:
        raise bad_request(f"the message has no button {wanted!r}")
    bot = act.world.bots_by_id[message["from"]["id"]]
    query = str(8_000_000_000_000_000_000 + act.world.number())
    bot.queries[query] = {"chat": act.chat.key}
    shown = (
        {"chat": act.chat.shape, "message_id": message["message_id"], "date": 0}
        if act.asked.get("inaccessible")
        else message
    )
    update = {"id": query, "from": act.person.user, "message": shown, "chat_instance": str(act.chat.id)}
    push(act.world, bot, "callback_query", update | {"data": button["callback_data"]})
    return query


async def react(act: Act) -> bool:
    """Put a reaction on a message; bots that are admins and asked for reactions hear of it."""
    message_id, emoji = act.asked["message"], act.asked.get("emoji")
    new = [{"type": "emoji", "emoji": emoji}] if emoji else []
    act.chat.note("reaction", message_id=message_id, reaction=new, by=act.person.user["id"])
    update = {"chat": act.chat.shape, "message_id": message_id, "user": act.person.user}
    for bot in act.world.bots_in(act.chat):
        push(
            act.world,
            bot,
            "message_reaction",
            update | {"date": act.world.now(), "old_reaction": [], "new_reaction": new},
        )
    return True
