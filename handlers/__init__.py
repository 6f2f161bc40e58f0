"""What people do in Telegram, and what the bot answers."""
