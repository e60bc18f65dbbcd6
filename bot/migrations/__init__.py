"""The history of the database's shape; `bot.database` applies it."""
