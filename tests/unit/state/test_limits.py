"""The local stand-in for limits: its windows, its share and its bound."""

from uuid import uuid4

from core.state.limits import LocalLimits


class Turning:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _limits(clock: Turning, *, instances: int = 1, most: int = 10) -> LocalLimits:
    return LocalLimits(instances=lambda: instances, monotonic=clock, most=most)


def test_a_window_closes_sixty_seconds_after_its_first_use() -> None:
    clock = Turning()
    limits = _limits(clock)
    assert limits.hit("a", 1) is None
    clock.now += 59.5
    assert limits.hit("a", 1) == 1
    clock.now += 0.5
    assert limits.hit("a", 1) is None


def test_a_share_is_rounded_up_and_at_least_one() -> None:
    limits = _limits(Turning(), instances=3)
    assert [limits.hit("a", 4) is None for _ in range(3)] == [True, True, False]
    assert [limits.hit("b", 1) is None for _ in range(2)] == [True, False]


def test_counters_are_bounded_and_the_oldest_window_goes_first() -> None:
    clock = Turning()
    limits = _limits(clock, most=3)
    for name in ("a", "b", "c", "d"):
        limits.hit(name, 1)
    assert len(limits) == 3
    assert limits.hit("d", 1) is not None
    assert limits.hit("a", 1) is None


def test_the_first_of_a_window_may_ask_again_and_the_next_window_is_anybodys() -> None:
    clock = Turning()
    limits, ann, bob = _limits(clock), uuid4(), uuid4()
    assert [limits.is_first("a", one) for one in (ann, bob, ann)] == [True, False, True]
    assert limits.is_first("b", bob)
    clock.now += 60
    assert [limits.is_first("a", one) for one in (bob, ann)] == [True, False]
