"""One seed, one plan."""

from collections import defaultdict

from bots.torture.plan import STRIKE_EVERY, Plan


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


def test_some_talk_in_private_and_some_share_a_topic() -> None:
    speeches = Plan(messages=200, users=50).speeches()
    talkers = defaultdict(set)
    for speech in speeches:
        talkers[speech.chat, speech.thread].add(speech.user)
    assert {len(users) for (_, thread), users in talkers.items() if thread is None} == {1}
    assert max(len(users) for (_, thread), users in talkers.items() if thread) == 3
    assert all(speech.direct == (speech.thread is None) for speech in speeches)


def test_kills_fall_while_people_talk() -> None:
    plan = Plan(messages=40, users=9, kills=4)
    assert [int(strike.at // STRIKE_EVERY) for strike in plan.strikes()] == [0, 1, 2, 3]
    moments = [speech.at for speech in plan.speeches()]
    assert moments == sorted(moments)
    assert 0 <= moments[0] <= moments[-1] <= plan.seconds
