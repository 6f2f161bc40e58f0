"""A Telegram on this machine: a Bot API server for the demo and the tests, and the people who use it."""

from sandbox.client import Chat, ControlError, Message, Person, Telegram, WaitedInVain
from sandbox.server import TOKEN, Sandbox

__all__ = ["TOKEN", "Chat", "ControlError", "Message", "Person", "Sandbox", "Telegram", "WaitedInVain"]
