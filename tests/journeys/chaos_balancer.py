"""The least load balancer, which does what nginx does by default: each request to the next server that is there.

A server that takes no connection is passed over; one that fails in the middle of a request is not asked again, for it
may have done its work: the caller hears 502 (504 when it hangs) and comes again, as Telegram does.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, web

PATIENCE = ClientTimeout(total=10, connect=1)
KEPT = ("Content-Type", "X-Telegram-Bot-Api-Secret-Token")


@dataclass
class Balancer:
    """Spreads requests over loopback `ports`; `served` counts them by port, `failed` by what the caller heard."""

    ports: Sequence[int]
    session: ClientSession
    url: str = ""
    served: Counter[int] = field(default_factory=Counter)
    failed: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._turn = itertools.count()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Have a request answered by the next server that takes it."""
        body = b"".join([piece async for piece in request.content.iter_any()])
        headers = {name: request.headers[name] for name in KEPT if name in request.headers}
        first, status = next(self._turn), 502
        for offset in range(len(self.ports)):
            port = self.ports[(first + offset) % len(self.ports)]
            url = f"http://127.0.0.1:{port}{request.path_qs}"
            try:
                async with self.session.request(request.method, url, data=body, headers=headers) as answer:
                    self.served[port] += 1
                    return web.Response(status=answer.status, body=await answer.read())
            except ClientConnectorError:
                continue
            except TimeoutError:
                status = 504
                break
            except ClientError:
                break
        self.failed[status] += 1
        return web.Response(status=status)


@asynccontextmanager
async def balancing(ports: Sequence[int]) -> AsyncIterator[Balancer]:
    """Run a balancer on a free loopback port of this loop."""
    async with ClientSession(timeout=PATIENCE) as session:
        balancer = Balancer(ports, session)
        runner = web.ServerRunner(web.Server(balancer.handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            balancer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield balancer
        finally:
            await asyncio.shield(runner.cleanup())
