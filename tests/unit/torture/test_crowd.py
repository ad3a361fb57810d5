"""What an answer says of the questions it answers can be read out of it again."""

from math import inf

import pytest

from bots.torture.crowd import Crowd, answer, asked, numbers_of
from bots.torture.plan import Change, Speech
from bots.torture.platforms import Discord, Slack, Telegram


def test_a_whole_answer_names_its_questions() -> None:
    assert numbers_of(answer([3, 11], 20)) == (3, 11)


@pytest.mark.parametrize("end", ["Answer", "Answer to m3", "End of m3", "word word"])
def test_what_was_cut_anywhere_is_no_whole_answer(end: str) -> None:
    whole = answer([3, 11], 20)
    assert numbers_of(whole[: whole.index(end) + len(end)]) is None


def test_an_answer_that_ends_as_another_one_is_not_whole() -> None:
    assert numbers_of("Answer to m3. word End of m4.") is None


def test_messages_that_were_merged_are_all_asked_and_older_ones_are_not() -> None:
    messages = [
        {"role": "system", "content": "m99"},
        {"role": "user", "content": "m1 is what I ask"},
        {"role": "assistant", "content": answer([1], 3)},
        {"role": "user", "content": "m2 is what I ask"},
        {"role": "user", "content": "[user3] m5 is what I ask"},
    ]
    assert asked(messages) == [2, 5]


def speech(number: int, channel: str, chat: str, change: Change | None = None) -> Speech:
    return Speech(number=number, channel=channel, user="ann", chat=chat, thread=None, at=0.0, change=change)


@pytest.mark.parametrize("platform", [Telegram, Discord])
async def test_what_is_edited_is_the_same_message_with_other_words(
    platform: type[Telegram] | type[Discord],
) -> None:
    there = platform()
    crowd = Crowd({"there": there})
    await crowd.speak([speech(1, "there", chat, "edited") for chat in ("ann", "group")])
    texts = [seen.text.rpartition("m1")[2] for seen in there.simulator.seen()]
    assert texts == [" is what I ask now"] * 2
    assert not any(said.withdrawn for said in crowd.said)


async def test_what_is_deleted_need_not_be_accepted() -> None:
    discord, slack = Discord(), Slack()
    crowd = Crowd({"discord": discord, "slack": slack})
    async with slack.simulator:
        await crowd.speak([speech(1, "discord", "group", "deleted"), speech(2, "slack", "ann", "deleted")])
        await crowd.speak([speech(3, "discord", "group")])
        assert [seen.text.rpartition("m")[2] for seen in discord.simulator.seen()] == ["3 is what I ask"]
        assert slack.simulator.seen() == []
        assert [(said.number, said.withdrawn, said.taken) for said in crowd.said] == [
            (1, True, inf),
            (2, True, inf),
            (3, False, 3),
        ]
