"""`python -m benchmarks.naive <url>`: the usual first bot, with python-telegram-bot's and httpx's defaults."""

import io
import sys
from typing import Any

import httpx
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

from benchmarks.bare import TOKEN

URL = sys.argv[1] if len(sys.argv) > 1 else ""
client = httpx.AsyncClient(timeout=60)


async def colorize(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    """Download the photo, have it colorized, answer with the result."""
    message = update.message
    if message is None:
        return
    file = await message.photo[-1].get_file()
    photo = io.BytesIO()
    await file.download_to_memory(photo)
    task = await client.post(
        f"{URL}/task/pic/colorization",
        data={"format": "jpg", "sync": "1"},
        files={"image_file": ("photo.jpg", photo.getvalue(), "image/jpeg")},
        headers={"Authorization": "Bearer sk-bench"},
    )
    result = await client.get(task.json()["data"]["image"])
    await message.reply_photo(result.content, caption="Done.")


def main() -> None:
    """Run until killed."""
    builder = Application.builder().token(TOKEN).base_url(f"{URL}/bot").base_file_url(f"{URL}/file/bot")
    application: Application[Any, Any, Any, Any, Any, Any] = builder.build()
    application.add_handler(MessageHandler(filters.PHOTO & filters.CaptionRegex(r"^/colorize"), colorize))
    application.run_polling()


if __name__ == "__main__":
    main()
