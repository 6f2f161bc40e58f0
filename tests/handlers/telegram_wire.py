"""The edges the handlers touch, written down: Telegram's wire, the dispatch behind the desk, and updates as sent."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from telegram import Update
from telegram.request import BaseRequest, RequestData

from handlers.context import App
from storage.database import Connection

ME = {"id": 99, "is_bot": True, "first_name": "Darkroom", "username": "DarkroomBot"}
ANNA = {"id": 7, "is_bot": False, "first_name": "Anna", "language_code": "en"}
BORIS = {"id": 8, "is_bot": False, "first_name": "Boris", "language_code": "en"}
ADMIN = {"id": 1, "is_bot": False, "first_name": "Ada", "language_code": "en"}
PRIVATE = {"id": 7, "type": "private", "first_name": "Anna"}
GROUP = {"id": -100, "type": "supergroup", "title": "Family"}
PHOTO: dict[str, Any] = {
    "photo": [
        {"file_id": "small", "file_unique_id": "s", "width": 90, "height": 60, "file_size": 900},
        {"file_id": "large", "file_unique_id": "l", "width": 1280, "height": 853, "file_size": 90_000},
    ]
}
_numbers = itertools.count(1000)


class Wire(BaseRequest):
    """Answers every Bot API call as Telegram would and writes it down, unless `failing` names the method."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failing: dict[str, tuple[int, str]] = {}

    @property
    def read_timeout(self) -> float:
        """Seconds; PTB asks for it."""
        return 1.0

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *_: object, **__: object
    ) -> tuple[int, bytes]:
        """Take a call as PTB sends it; give status and body."""
        assert method == "POST"
        name = url.rsplit("/", 1)[1]
        parameters: dict[str, Any] = dict(request_data.parameters) if request_data else {}
        self.calls.append((name, parameters))
        if name in self.failing:
            code, description = self.failing[name]
            return code, json.dumps({"ok": False, "error_code": code, "description": description}).encode()
        return 200, json.dumps({"ok": True, "result": self._result(name, parameters)}).encode()

    def _result(self, name: str, parameters: dict[str, Any]) -> object:
        if name == "getMe":
            return ME
        chat = {"id": int(parameters.get("chat_id", 0)), "type": "private"}
        if name == "sendMediaGroup":
            return [{"message_id": next(_numbers), "date": 1, "chat": chat, **PHOTO} for _ in parameters["media"]]
        if name == "getChatMember":
            return {"status": "member", "user": {"id": int(parameters["user_id"]), "is_bot": False, "first_name": "B"}}
        if name == "sendMessage":
            return {"message_id": next(_numbers), "date": 1, "chat": chat, "text": parameters["text"]}
        return True

    def sent(self) -> list[dict[str, Any]]:
        """Give the parameters of every sendMessage so far."""
        return [parameters for name, parameters in self.calls if name == "sendMessage"]

    def texts(self) -> list[str]:
        """Give what was said so far, under pictures too."""
        said = []
        for name, parameters in self.calls:
            if name == "sendMessage":
                said.append(parameters["text"])
            elif name == "sendMediaGroup":
                said += [one["caption"] for one in parameters["media"] if "caption" in one]
        return said


@dataclass
class Dispatched:
    """A dispatch that works on nothing and remembers which jobs it was handed."""

    job_ids: list[int] = field(default_factory=list)

    async def admit(self, conn: Connection, chat_id: int) -> None:
        """Hand out nothing."""

    def enqueue(self, chat_id: int, job_id: int, *, at_once: bool = False) -> None:
        """Remember the job."""
        assert chat_id
        assert not at_once
        self.job_ids.append(job_id)

    async def cancel(self, job_id: int) -> bool:
        """Cancel what was enqueued."""
        return job_id in self.job_ids


def message(chat: dict[str, Any], person: dict[str, Any] | None, text: str = "", **more: Any) -> dict[str, Any]:
    """Give a message as Telegram's JSON, its command marked; `text` is the caption when `more` holds a picture."""
    content: dict[str, Any] = {}
    if text:
        key = "text" if not {"photo", "document", "video", "sticker"} & more.keys() else "caption"
        content[key] = text
        if text.startswith("/"):
            entity = {"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}
            content["entities" if key == "text" else "caption_entities"] = [entity]
    sender = {"from": person} if person else {}
    return {"message_id": next(_numbers), "date": 1, "chat": chat, **sender, **content, **more}


def press(person: dict[str, Any], data: str, buttons: dict[str, Any] | None) -> dict[str, Any]:
    """Give a callback query as Telegram's JSON; `buttons` None: the message is gone from Telegram's memory."""
    gone = {"message_id": 5, "date": 0, "chat": PRIVATE}
    return {
        "id": str(next(_numbers)),
        "from": person,
        "chat_instance": "1",
        "data": data,
        "message": buttons or gone,
    }


async def receive(application: App, **update: Any) -> Update:
    """Have the application handle an update as it came over the wire."""
    arrived = Update.de_json({"update_id": next(_numbers), **update}, application.bot)
    await application.process_update(arrived)
    return arrived
