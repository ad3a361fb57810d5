"""A stand-in for Slack; `simulator` is the door, the other files are its parts."""

from bots.simulators.slack.simulator import SIGNING_SECRET, SlackSimulator

__all__ = ["SIGNING_SECRET", "SlackSimulator"]
