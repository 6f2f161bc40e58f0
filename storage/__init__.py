"""What outlives the process: updates, chats, credits and jobs, as SQLAlchemy Core tables and functions on them."""
