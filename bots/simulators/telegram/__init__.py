"""A stand-in for Telegram's Bot API; `simulator` is the door, the other files are its parts."""

from bots.simulators.telegram.simulator import TelegramSimulator

__all__ = ["TelegramSimulator"]
