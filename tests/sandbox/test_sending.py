"""What bots send and what people send, through python-telegram-bot."""

import io

import pytest
from PIL import Image
from telegram import Bot, InputFile, InputMediaDocument, InputMediaPhoto, Message
from telegram.error import BadRequest, Forbidden

from sandbox import Person, Telegram
from tests.sandbox.conftest import bot_of
from tests.sandbox.pictures import opened, picture


async def newest(bot: Bot) -> Message:
    message = (await bot.get_updates(timeout=5))[-1].effective_message
    assert message is not None
    return message


async def test_a_photo_arrives_recompressed_in_sizes_with_its_command(bot: Bot, ann: Person) -> None:
    """A person's photo comes as JPEG sizes up to 1280 px, with the caption's command marked."""
    await ann.send_photo(photo=picture(2000, 1000, "PNG"), caption="/colorize png")
    message = await newest(bot)
    assert [size.width for size in message.photo] == [90, 320, 800, 1280]
    assert message.parse_caption_entities() == {message.caption_entities[0]: "/colorize"}
    file = await message.photo[-1].get_file()
    image = opened(bytes(await file.download_as_bytearray()))
    assert (image.format, image.size) == ("JPEG", (1280, 640))
    assert message.from_user is not None
    assert message.from_user.language_code == "ru"


async def test_a_small_photo_has_one_small_size(bot: Bot, ann: Person) -> None:
    """A photo is never enlarged."""
    await ann.send_photo(photo=picture(60, 40))
    assert [(size.width, size.height) for size in (await newest(bot)).photo] == [(60, 40)]


async def test_people_may_send_larger_photos_than_bots(bot: Bot, ann: Person) -> None:
    """A person's app shrinks what is past a bot's limits."""
    await ann.send_photo(photo=picture(9000, 2000))
    assert (await newest(bot)).photo[-1].width == 1280


async def test_a_file_keeps_its_bytes_name_and_type(bot: Bot, ann: Person) -> None:
    """A document arrives as it was sent, with a thumbnail when it is a picture."""
    data = picture(500, 400, "PNG", "RGBA")
    await ann.send_file(file=data, name="old.png", caption="hello")
    document = (await newest(bot)).document
    assert document is not None
    assert (document.file_name, document.mime_type, document.file_size) == ("old.png", "image/png", len(data))
    assert document.thumbnail is not None
    assert (document.thumbnail.width, document.thumbnail.height) == (320, 256)
    assert bytes(await (await document.get_file()).download_as_bytearray()) == data


async def test_a_broken_picture_file_has_no_thumbnail(bot: Bot, ann: Person) -> None:
    """A text named .jpg is taken as a document; only the thumbnail is missing."""
    await ann.send_file(file=b"not a picture", name="fake.jpg")
    document = (await newest(bot)).document
    assert document is not None
    assert document.thumbnail is None


async def test_an_album_shares_an_id_and_has_one_caption(bot: Bot, ann: Person) -> None:
    """Each picture of an album is a message of its own; the caption is on the first."""
    await ann.send_album(pictures=[picture(), picture(), picture()], caption="/enhance")
    updates = await bot.get_updates(timeout=5)
    assert len({update.message.media_group_id for update in updates if update.message}) == 1
    assert [update.message.caption for update in updates if update.message] == ["/enhance", None, None]


async def test_an_album_of_files_and_a_sticker(tg: Telegram, bot: Bot, ann: Person) -> None:
    """Files make albums too, and stickers arrive as stickers."""
    sent = await ann.send_album(pictures=[picture(), picture()], files=True)
    assert all("document" in message for message in sent)
    sticker = await ann.send_sticker(sticker=picture(512, 512, "WEBP"))
    message = await newest(bot)
    assert message.sticker is not None
    assert message.sticker.type == "regular"
    assert opened(await tg.download(sticker)).format == "WEBP"


async def test_a_picture_can_be_sent_again_without_uploading(bot: Bot, ann: Person) -> None:
    """The same picture sent twice has the same file_unique_id in two messages."""
    first = await ann.send_file(file=picture(), name="a.jpg")
    again = await ann.send_again(first, caption="/cutout")
    assert again.id != first.id
    assert again["document"] == first["document"]
    assert (await newest(bot)).caption == "/cutout"


async def test_a_result_is_a_reply_people_see(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A document the bot sends reaches the chat byte for byte, as a reply with formatted caption."""
    asked = await ann.send_photo(photo=picture(), caption="/cutout")
    data = picture(300, 400, "PNG", "RGBA")
    sent = await bot.send_document(
        ann.id,
        InputFile(io.BytesIO(data), "cut.png", read_file_handle=False),
        caption="<b>done</b>",
        parse_mode="HTML",
        reply_to_message_id=asked.id,
    )
    seen = await ann.chat.wait_for(after=asked)
    assert (seen.id, seen.words, seen.replies_to) == (sent.message_id, "done", asked.id)
    assert await tg.download(seen) == data
    assert sent.document is not None
    assert sent.document.file_name == "cut.png"


async def test_a_photo_the_bot_sends_loses_alpha_and_size(tg: Telegram, bot: Bot, ann: Person) -> None:
    """SendPhoto gives a JPEG on white of at most 1280 px."""
    image = Image.new("RGBA", (3000, 1500), (0, 0, 0, 0))
    out = io.BytesIO()
    image.save(out, "PNG")
    await bot.send_photo(ann.id, out.getvalue())
    seen = opened(await tg.download(await ann.chat.wait_for(lambda message: "photo" in message)))
    assert (seen.format, seen.mode, seen.size) == ("JPEG", "RGB", (1280, 640))
    assert seen.getpixel((5, 5)) == (255, 255, 255)


async def test_albums_from_the_bot(bot: Bot, ann: Person) -> None:
    """SendMediaGroup sends photos with photos or files with files, by upload and by file_id."""
    photos = await bot.send_media_group(ann.id, [InputMediaPhoto(picture(), caption="1"), InputMediaPhoto(picture())])
    assert len({message.media_group_id for message in photos}) == 1
    assert photos[0].caption == "1"
    file_id = photos[0].photo[-1].file_id
    again = await bot.send_media_group(ann.id, [InputMediaPhoto(file_id), InputMediaPhoto(photos[1].photo[0].file_id)])
    assert again[0].photo == photos[0].photo
    with pytest.raises(BadRequest, match="can't be mixed"):
        await bot.send_media_group(ann.id, [InputMediaPhoto(file_id), InputMediaDocument(picture(), filename="a.jpg")])
    with pytest.raises(BadRequest, match="wrong number"):
        await bot.send_media_group(ann.id, [InputMediaPhoto(file_id)])


async def test_a_file_id_is_of_one_kind_and_one_bot(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A photo's id is no document, and another bot's id is nothing."""
    sent = await bot.send_photo(ann.id, picture())
    with pytest.raises(BadRequest, match="Can't use file of type photo as document"):
        await bot.send_document(ann.id, sent.photo[-1].file_id)
    again = await bot.send_photo(ann.id, sent.photo[-1].file_id)
    assert again.photo[-1].file_unique_id == sent.photo[-1].file_unique_id
    await tg.add_bot("42:other", "other_bot")
    async with bot_of(tg, "42:other") as other:
        with pytest.raises(BadRequest, match="Wrong file_id"):
            await other.get_file(sent.photo[-1].file_id)
    with pytest.raises(BadRequest, match="Wrong file_id"):
        await bot.get_file("AgACnonsense")
    with pytest.raises(BadRequest, match="Failed to get http url"):
        await bot.send_photo(ann.id, "https://example.org/a.jpg")


async def test_replying_to_what_is_gone(bot: Bot, ann: Person) -> None:
    """A missing message cannot be replied to unless the bot allows it."""
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await bot.send_message(ann.id, "hi", reply_to_message_id=999)
    sent = await bot.send_message(ann.id, "hi", reply_to_message_id=999, allow_sending_without_reply=True)
    assert sent.reply_to_message is None


async def test_whom_a_bot_cannot_write_to(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A stranger, somebody who blocked the bot, an unknown chat: each is refused in Telegram's words."""
    bob = await tg.person("Bob")
    with pytest.raises(Forbidden, match="bot can't initiate conversation with a user"):
        await bot.send_message(bob.id, "hi")
    await ann.block()
    assert (await bot.get_updates())[-1].my_chat_member.new_chat_member.status == "kicked"  # type: ignore[union-attr]  # it is one
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(ann.id, "hi")
    await ann.block(blocked=False)
    assert (await bot.send_message(ann.id, "hi")).text == "hi"
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(1, "hi")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message("@nobody_here", "hi")
    with pytest.raises(Forbidden, match="to bots"):
        await bot.send_message(bot.id, "hi")


async def test_chat_actions_and_reactions_are_seen(bot: Bot, ann: Person) -> None:
    """People see that the bot is busy, and its reaction; only real reactions pass."""
    message = await ann.send(text="hello")
    await bot.send_chat_action(ann.id, "upload_document")
    assert (await ann.chat.wait_for_event("action"))["action"] == "upload_document"
    await bot.set_message_reaction(ann.id, message.id, "👀")
    assert (await ann.chat.wait_for_event("reaction"))["reaction"] == [{"type": "emoji", "emoji": "👀"}]
    with pytest.raises(BadRequest, match="Reaction_invalid"):
        await bot.set_message_reaction(ann.id, message.id, "✅")
    with pytest.raises(BadRequest, match="Reactions_too_many"):
        await bot.set_message_reaction(ann.id, message.id, ["👀", "🔥"])
    with pytest.raises(BadRequest, match="Message to react not found"):
        await bot.set_message_reaction(ann.id, 999, "👀")
    with pytest.raises(BadRequest, match="Wrong parameter action"):
        await bot.send_chat_action(ann.id, "sleeping")
