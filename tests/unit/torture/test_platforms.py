"""Which channels a trial is for, and that a simulated platform's ids are those of the channel's folder."""

import pytest

from bots.torture.plan import Speech
from bots.torture.platforms import Discord, Slack, Telegram, UnknownChannel, available, choose


def speech(number: int, channel: str, chat: str, thread: str | None = None) -> Speech:
    return Speech(number=number, channel=channel, user="ann", chat=chat, thread=thread, at=0.0)


def test_all_channels_are_chosen_unless_some_are_named() -> None:
    assert choose("") == available() == ("telegram", "discord", "slack")
    assert choose("slack, telegram,slack") == ("slack", "telegram")


def test_a_channel_that_is_none_is_named_with_those_that_are() -> None:
    with pytest.raises(UnknownChannel, match="'irc' given; allowed: telegram, discord, slack"):
        choose("slack,irc")


def test_a_topic_is_a_place_and_a_chain_of_answers_is_none() -> None:
    telegram = Telegram()
    general, topic = (telegram.say(speech(1, "telegram", "group", name)) for name in (None, "topic"))
    assert general.thread == ""
    assert topic.thread != ""
    assert general.chat == topic.chat


def test_a_thread_on_discord_is_a_chat() -> None:
    discord = Discord()
    channel, thread = (discord.say(speech(1, "discord", "group", name)) for name in (None, "topic"))
    assert (channel.thread, thread.thread) == ("", "")
    assert channel.chat != thread.chat


async def test_a_mention_on_slack_begins_a_thread_that_answers_go_on_with() -> None:
    slack = Slack()
    async with slack.simulator:
        root, reply = (slack.say(speech(number, "slack", "group", "topic")) for number in (1, 2))
        alone, direct = slack.say(speech(3, "slack", "group")), slack.say(speech(4, "slack", "ann"))
        assert root.thread == reply.thread == root.message_id
        assert alone.thread == alone.message_id
        assert direct.thread == ""
        unheard = slack.heard(root)
        assert (unheard.begun, unheard.taken) == (float("inf"), float("inf"))
