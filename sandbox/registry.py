"""The register of the Bot API's methods: each is an async function found by its name.

A method is written as ``@method async def sendDice(call: Call) -> Json: …`` in one of the files of
``methods/``; its parameters are in ``call.parameters``, already checked against the reference (api.json).
"""

# ruff: noqa: ANN401  a parameter may be any JSON value

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sandbox.errors import Refused
from sandbox.parameters import METHODS, Upload
from sandbox.world import Bot, World

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One call: which bot calls, in which world, with what."""

    world: World
    bot: Bot
    parameters: dict[str, Any]
    uploads: dict[str, Upload]

    def __getitem__(self, name: str) -> Any:
        """Return a required parameter."""
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an optional parameter."""
        return self.parameters.get(name, default)


Method = Callable[[Call], Awaitable[Any]]
IMPLEMENTED: dict[str, Method] = {}


def method(function: Method) -> Method:
    """Register *function* under its name, which must be a method of the reference."""
    name = function.__name__
    if name not in METHODS:
        raise LookupError(f"{name} is no method of the Bot API")
    IMPLEMENTED[name] = function
    return function


def implementation(name: str) -> Method:
    """Return the method's function; refuse with 501, and say so in the log, when the sandbox lacks it."""
    if name not in IMPLEMENTED:
        log.error("the sandbox does not implement %s", name)
        raise Refused(501, f"Not Implemented: the sandbox knows {name} but does not implement it")
    return IMPLEMENTED[name]
