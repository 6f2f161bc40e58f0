"""What people do, from their photo to the reply: bot, sandbox and engine over real sockets."""
