"""`python -m benchmarks.bare <url>`: a job's HTTP calls, on httpx over aiohttp's transport, and nothing else."""

import asyncio
import json
import sys
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport

TOKEN = "123456789:AAdarkroom-bench-token-of-no-use_00"  # noqa: S105  known to nobody
AT_ONCE = 16


async def develop(client: httpx.AsyncClient, url: str, message: dict[str, Any]) -> None:
    """Make one job's calls."""
    api = f"{url}/bot{TOKEN}"
    reaction = json.dumps([{"type": "emoji", "emoji": "👀"}])
    seen = {"chat_id": message["chat"]["id"], "message_id": message["message_id"], "reaction": reaction}
    await client.post(f"{api}/setMessageReaction", data=seen)
    asked = await client.post(f"{api}/getFile", data={"file_id": message["photo"][-1]["file_id"]})
    photo = await client.get(f"{url}/file/bot{TOKEN}/{asked.json()['result']['file_path']}")
    task = await client.post(
        f"{url}/task/pic/colorization",
        data={"format": "jpg", "sync": "1"},
        files={"image_file": ("photo.jpg", photo.content, "image/jpeg")},
        headers={"Authorization": "Bearer sk-bench"},
    )
    result = await client.get(task.json()["data"]["image"])
    await client.post(
        f"{api}/sendPhoto",
        data={"chat_id": str(message["chat"]["id"]), "caption": "Done."},
        files={"photo": ("photo.jpg", result.content, "image/jpeg")},
    )


async def main(url: str) -> None:
    """Work until killed."""
    transport = AiohttpTransport(limits=httpx.Limits(max_connections=256))
    slots = asyncio.Semaphore(AT_ONCE)
    tasks: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(timeout=60, transport=transport) as client:

        async def work(message: dict[str, Any]) -> None:
            async with slots:
                await develop(client, url, message)

        offset = 0
        while True:
            answer = await client.post(f"{url}/bot{TOKEN}/getUpdates", json={"offset": offset, "timeout": 30})
            for update in answer.json()["result"]:
                offset = update["update_id"] + 1
                tasks.add(asyncio.create_task(work(update["message"])))
            tasks = {task for task in tasks if not task.done()}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
