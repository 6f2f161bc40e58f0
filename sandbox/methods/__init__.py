"""The Bot API's methods; importing this registers them all."""

from sandbox.methods import chats, commands, edits, media, messages, updates

__all__ = ["chats", "commands", "edits", "media", "messages", "updates"]
