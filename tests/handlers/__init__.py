"""The handlers, with real updates and a real database; only the wire to Telegram and the dispatch are stand-ins."""
