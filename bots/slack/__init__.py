"""Slack as a channel: `bots.slack.adapter.SlackChannel`."""
