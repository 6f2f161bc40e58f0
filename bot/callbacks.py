"""Callbacks where many processes share a server: whoever gets the call tells the one that waits."""

import asyncio

import psycopg
import structlog
from pydantic import SecretStr

from imaging import wire
from imaging.callbacks import Call, make_token, token_of
from storage import calls
from storage.apart import Raw, connected
from storage.postgres import Postgres

TIDY_SECONDS = 5.0
"""How often what is awaited no longer is deleted."""

AGAIN_SECONDS = 1.0
log = structlog.get_logger()


class SharedCallbacks:
    """The calls of all processes, in the table `calls`; those awaited by this one are heard while `run` runs.

    `base` is the URL that calls come to, less the token, which `key` makes.
    """

    def __init__(self, db: Postgres, base: str, key: SecretStr) -> None:
        self._db = db
        self._base = base.rstrip("/")
        self._key = key
        self._calls: dict[str, Call] = {}  # by the token's hash
        self._over: set[str] = set()

    async def expect(self, name: str) -> Call:
        """Give the URL, which any process knows when this returns; who awaited it before may have left a call."""
        token = make_token(self._key, name)
        hashed = calls.hash_of(token)
        self._calls[hashed] = call = Call(f"{self._base}/{token}")
        self._over.discard(hashed)
        try:
            row = await self._db.persist(lambda conn: calls.expect(conn, hashed))
        except BaseException:
            self.forget(call)
            raise
        if row["came_at"] is not None:
            self._wake(hashed, row["task_id"])
        return call

    def forget(self, call: Call) -> None:
        """Await it no longer; its row goes soon."""
        hashed = calls.hash_of(token_of(call))
        self._calls.pop(hashed, None)
        self._over.add(hashed)

    async def take(self, token: str, body: bytes) -> bool:
        """Take a call for whoever waits; tell whether its URL was good, which it is only once."""
        hashed, task_id = calls.hash_of(token), wire.read_callback(body)
        return await self._db.transact(lambda conn: calls.take(conn, hashed, task_id))

    async def run(self) -> None:
        """Hear the calls until cancelled, through restarts of the server."""
        while True:
            try:
                async with connected(self._db) as raw:
                    await raw.execute(f"LISTEN {calls.CHANNEL}")
                    await self._catch_up()
                    while True:
                        await self._hear(raw)
                        await self._tidy()
            except psycopg.Error as error:
                log.warning("hears no callbacks", cause=type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _hear(self, raw: Raw) -> None:
        """Wake whoever waits for what comes within TIDY_SECONDS."""
        async for heard in raw.notifies(timeout=TIDY_SECONDS):
            self._wake(*calls.announced(heard.payload))

    def _wake(self, hashed: str, task_id: str | None) -> None:
        call = self._calls.get(hashed)
        if call is not None and not call.came:
            call.answer(task_id)

    async def _catch_up(self) -> None:
        """Look up what came while nobody listened."""
        awaited = [hashed for hashed, call in self._calls.items() if not call.came]
        if awaited:
            for found in (await self._db.look(lambda conn: calls.came(conn, awaited))).items():
                self._wake(*found)

    async def _tidy(self) -> None:
        over, self._over = self._over, set()
        if over:
            await self._db.transact(lambda conn: calls.forget(conn, over))
