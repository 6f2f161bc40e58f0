"""The Bot API's methods; importing this registers them all."""

from sandbox.methods import chats, commands, edits, media, messages, payments, updates

__all__ = ["chats", "commands", "edits", "media", "messages", "payments", "updates"]
