"""One seed, one plan."""

from collections import defaultdict

from bots.torture.plan import (
    A_MINUTE_EACH,
    CALLED,
    CHANGED_WITHIN,
    CHANGES,
    CHANNELS,
    HEARD_ONCE,
    STRIKE_EVERY,
    Plan,
    storming,
)


def test_the_same_seed_gives_the_same_plan() -> None:
    plan = Plan(messages=40, users=9, kills=3, seed=7)
    again = Plan(messages=40, users=9, kills=3, seed=7)
    other = Plan(messages=40, users=9, kills=3, seed=8)
    assert (plan.speeches(), plan.strikes()) == (again.speeches(), again.strikes())
    assert plan.speeches() != other.speeches()
    assert plan.strikes() != other.strikes()


def test_every_message_has_its_number_and_every_user_a_share() -> None:
    speeches = Plan(messages=40, users=9).speeches()
    spoken = defaultdict(list)
    for speech in speeches:
        spoken[speech.user].append(speech.number)
    assert [speech.number for speech in speeches] == list(range(1, 41))
    assert {len(numbers) for numbers in spoken.values()} == {4, 5}
    assert {speech.at for speech in speeches} == {0.0}


def test_some_talk_in_private_and_some_share_a_group_or_a_thread_of_it_on_every_channel() -> None:
    plan = Plan(messages=600, users=150)
    talkers = defaultdict(set)
    for speech in plan.speeches():
        talkers[speech.channel, speech.direct, speech.chat, speech.thread].add(speech.user)
    assert {len(users) for (_, direct, *_), users in talkers.items() if direct} == {1}
    for name in plan.channels:
        shared = {
            thread: len(users)
            for (channel, direct, chat, thread), users in talkers.items()
            if (channel, direct, chat) == (name, False, "group0")
        }
        assert shared == {"topic": 3, None: 3}


def test_the_users_go_round_the_channels() -> None:
    speeches = Plan(messages=90, users=9).speeches()
    homes = defaultdict(set)
    for speech in speeches:
        homes[speech.channel].add(speech.user)
    assert {channel: len(users) for channel, users in homes.items()} == dict.fromkeys(CHANNELS, 3)
    assert not set.intersection(*homes.values())


def test_only_where_a_chat_is_told_of_once_it_is_spoken_in_before_the_first_kill() -> None:
    calm = Plan(messages=60, users=12)
    assert calm.acts() == ([], calm.speeches())
    plan = Plan(messages=60, users=12, kills=2)
    before, meanwhile = plan.acts()
    assert {speech.channel for speech in before} == {HEARD_ONCE}
    new = {(speech.chat, speech.thread) for speech in before}
    assert len(new) == len(before)
    assert {(each.chat, each.thread) for each in meanwhile if each.channel == HEARD_ONCE} <= new
    assert sorted(each.number for each in (*before, *meanwhile)) == list(range(1, 61))


def test_kills_fall_while_people_talk() -> None:
    plan = Plan(messages=40, users=9, kills=4)
    assert [int(strike.at // STRIKE_EVERY) for strike in plan.strikes()] == [0, 1, 2, 3]
    moments = [speech.at for speech in plan.speeches()]
    assert moments == sorted(moments)
    assert 0 <= moments[0] <= moments[-1] <= plan.seconds


def test_a_run_for_a_time_says_so_many_messages_a_second_and_no_user_too_many() -> None:
    usual, quick = storming(5.0), storming(42.0, rate=16.0)
    assert usual["users"] >= 90
    assert quick["messages"] == 42 * 60 * 16
    crowded = storming(1.0, rate=100.0)
    for size, minutes in ((usual, 5.0), (quick, 42.0), (crowded, 1.0)):
        assert size["messages"] / minutes / size["users"] <= A_MINUTE_EACH


def test_some_questions_on_discord_are_commands_where_all_faults_strike() -> None:
    storm = Plan(messages=600, users=30, minutes=1.0)
    before, meanwhile = storm.acts()
    called = [speech for speech in meanwhile if speech.called]
    assert 10 < len(called) < 60
    assert {speech.channel for speech in called} == {CALLED}
    assert not any(speech.called for speech in before), "commands are known by then"
    assert storm.acts() == (before, meanwhile)


def test_some_of_what_is_said_there_is_edited_or_deleted_soon_after() -> None:
    _, meanwhile = Plan(messages=3000, users=30, minutes=1.0).acts()
    changes = defaultdict(set)
    for speech in meanwhile:
        if speech.change is not None:
            changes[speech.channel].add(speech.change)
            assert 0 <= speech.changed_after <= CHANGED_WITHIN
            assert not speech.called
            assert speech.direct or speech.channel != "slack"
    assert changes == {channel: set(kinds) for channel, kinds in CHANGES.items()}


def test_where_only_kills_strike_everything_is_said_and_stays() -> None:
    said = [speech for act in Plan(messages=600, users=30, kills=5).acts() for speech in act]
    assert not any(speech.called or speech.change for speech in said)
