"""Methods that send pictures and files, and getFile."""

import asyncio
import mimetypes
from pathlib import PurePosixPath
from typing import Any

from sandbox.errors import Refused, bad_request
from sandbox.formatting import formatted
from sandbox.methods.messages import say
from sandbox.parameters import Upload
from sandbox.pictures import check_photo, recompress, thumbnail
from sandbox.posting import chat_for_bot
from sandbox.registry import Call, method
from sandbox.world import File, World

Json = dict[str, Any]
CAPTION_LENGTH = 1024
UPLOAD_BYTES = 50 * 2**20
DOWNLOAD_BYTES = 20 * 2**20
ALBUM = range(2, 11)


def caption_content(caption: str | None, parse_mode: str | None, entities: list[Json] | None) -> Json:
    """Return caption and caption_entities as they stand in a message; 400 past 1024 characters."""
    text, found = formatted(caption or "", parse_mode, entities)
    if len(text) > CAPTION_LENGTH:
        raise bad_request("message caption is too long")
    if not text:
        return {}
    return {"caption": text, **({"caption_entities": found} if found else {})}


async def new_photo(world: World, data: bytes) -> Json:
    """Store what Telegram makes of a photo and return the message's ``photo``."""
    sizes = await asyncio.to_thread(recompress, data)
    described: list[Json] = []
    for size in sizes:  # the files share the list, so that any size's id stands for the whole photo
        file = world.add_file("photo", size.data, width=size.width, height=size.height)
        file.shape["width"], file.shape["height"] = size.width, size.height
        described.append(file.shape)
        world.files[file.unique].sizes.append(file.shape)
    for shape in described:
        world.files[shape["file_unique_id"]].sizes[:] = described
    return {"photo": described}


async def new_document(world: World, data: bytes, name: str, mime: str | None = None) -> Json:
    """Store a file as it is and return the message's ``document``, with a thumbnail when it is a picture."""
    mime = mime or mimetypes.guess_type(name)[0] or "application/octet-stream"
    small = await asyncio.to_thread(thumbnail, data) if mime.startswith("image/") else None
    shape: Json = {"file_name": name, "mime_type": mime}
    if small:
        thumb = world.add_file("thumbnail", small.data, width=small.width, height=small.height).shape
        shape["thumbnail"] = thumb
    suffix = PurePosixPath(name).suffix
    return {"document": world.add_file("document", data, suffix=suffix, mime=mime, **shape).shape}


def stored(file: File, kind: str) -> Json:
    """Return the message part for a file that is on the server already; 400 when it is of another kind."""
    if file.kind != kind:
        known, asked = file.kind.title(), kind.title()
        raise bad_request(f"can't use file of type {known} as {asked}")
    return {kind: file.sizes if kind == "photo" else file.shape}


async def media_content(call: Call, kind: str, value: str | Upload) -> Json:
    """Return the message part for what a bot sends: an upload, ``attach://…`` or a file_id."""
    if isinstance(value, str) and value.startswith("attach://"):
        if value.removeprefix("attach://") not in call.uploads:
            raise bad_request("wrong HTTP URL specified: can't find the attached file")
        value = call.uploads[value.removeprefix("attach://")]
    if isinstance(value, Upload):
        if not value.data:
            raise bad_request("file must be non-empty")
        if len(value.data) > UPLOAD_BYTES:
            raise Refused(413, "Request Entity Too Large")
        if kind == "photo":
            check_photo(value.data)
            return await new_photo(call.world, value.data)
        return await new_document(call.world, value.data, value.name, value.mime)
    if value.startswith(("http://", "https://")):
        raise bad_request("failed to get HTTP URL content")
    return stored(call.world.file_by_id(value, call.bot), kind)


async def _send(call: Call, kind: str) -> Json:
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    caption = caption_content(call.get("caption"), call.get("parse_mode"), call.get("caption_entities"))
    content = await media_content(call, kind, call[kind]) | caption
    if call.get("has_spoiler"):
        content["has_media_spoiler"] = True
    return say(call, content, chat)


@method
async def sendPhoto(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Send a photo, recompressed."""
    return await _send(call, "photo")


@method
async def sendDocument(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Send a file as it is."""
    return await _send(call, "document")


@method
async def sendMediaGroup(call: Call) -> list[Json]:  # noqa: N802  Telegram's name
    """Send 2 to 10 pictures, or as many documents, as one album; all or none."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    items = call["media"]
    if len(items) not in ALBUM:
        raise bad_request("group send failed: wrong number of media in the album")
    kinds = {item["type"] for item in items}
    if "document" in kinds and len(kinds) > 1:
        raise bad_request("document can't be mixed with other media types")
    contents = [await album_item(call, item) for item in items]
    group = {"media_group_id": str(13_000_000_000_000_000 + call.world.number())}
    return [say(call, content | group, chat) for content in contents]


async def album_item(call: Call, item: Json) -> Json:
    """Return the message part for an InputMedia."""
    if item["type"] not in {"photo", "document"}:
        raise Refused(501, f"Not Implemented: the sandbox has no InputMedia of type {item['type']}")
    content = await media_content(call, item["type"], item["media"])
    return content | caption_content(item.get("caption"), item.get("parse_mode"), item.get("caption_entities"))


@method
async def getFile(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Tell where a file of up to 20 MB can be downloaded."""
    file = call.world.file_by_id(call["file_id"], call.bot)
    if len(file.data) > DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    about = {"file_unique_id": file.unique, "file_size": len(file.data), "file_path": file.path}
    return {"file_id": call["file_id"], **about}
