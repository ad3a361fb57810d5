"""Telegram as a channel: `bots.telegram.adapter.TelegramChannel`."""
