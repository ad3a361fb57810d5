"""One seed, one storm; and each kind of fault as often as was promised."""

from collections import Counter
from itertools import pairwise

from bots.torture.plan import CHANNELS
from bots.torture.storm import FROZEN_BEYOND_LEASE, Blow, storm

FIVE_MINUTES = 300.0


def five_minutes(seed: int = 1) -> dict[str, list[Blow]]:
    return storm(seed, FIVE_MINUTES, 2.0, CHANNELS)


def kinds(tracks: dict[str, list[Blow]]) -> Counter[str]:
    return Counter(blow.fault.kind for blows in tracks.values() for blow in blows)


def test_the_same_seed_gives_the_same_storm() -> None:
    assert five_minutes() == five_minutes()
    assert five_minutes() != five_minutes(2)


def test_five_minutes_have_as_many_faults_as_a_proof_needs() -> None:
    struck = kinds(five_minutes())
    assert struck["kill"] >= 100
    assert struck["postgres"] >= 20
    assert sum(times for kind, times in struck.items() if kind.startswith("redis")) >= 20
    assert struck["freeze"] >= 10
    assert struck["deploy"] >= 2
    for name in (*CHANNELS, "model"):
        assert struck[f"{name} misbehaves"] >= 5
    assert {kind for kind in struck if kind.startswith("redis")} == {
        "redis kill", "redis flush", "redis read-only", "redis pause",
    }  # fmt: skip


def test_every_blow_falls_within_the_time_and_after_the_one_before_it() -> None:
    for blows in five_minutes().values():
        assert all(0 <= blow.at <= FIVE_MINUTES for blow in blows)
        assert all(one.at <= other.at for one, other in pairwise(blows))


def test_a_freeze_is_longer_than_the_lease() -> None:
    for blow in storm(1, FIVE_MINUTES, 7.0, CHANNELS)["freezes"]:
        assert blow.fault.seconds == 7.0 + FROZEN_BEYOND_LEASE  # type: ignore[attr-defined]


def test_a_storm_of_a_minute_has_every_track() -> None:
    assert all(storm(7, 60.0, 2.0, ("slack",)).values())
