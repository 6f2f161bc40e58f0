"""A Telegram on this machine: a Bot API server for the demo and the tests, and the people who use it.

Stricter than the real one: a method or parameter that the reference (api.json, see derive.py) does not know is
an error, where Telegram overlooks parameters. Simpler: everything is in memory and nothing expires; webhooks
may be plain HTTP and only on this machine; message ids count from 1 in every chat; files cannot be given by URL.
"""

from sandbox.client import Chat, ControlError, Message, Person, Telegram, WaitedInVain
from sandbox.server import TOKEN, Sandbox

__all__ = ["TOKEN", "Chat", "ControlError", "Message", "Person", "Sandbox", "Telegram", "WaitedInVain"]
