"""How often Discord may be called where it refuses, and when not at all."""

from dataclasses import dataclass

import pytest

from bots.discord.budget import MOST, PAUSE, WINDOW, Budget
from bots.discord.library import RateLimited
from core.errors import Unauthorized

PLAIN = "/api/v10/channels/5/messages"


@dataclass
class Hand:
    """A clock's."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


def wait(budget: Budget, scope: str = "a") -> float:
    try:
        budget.check(scope)
    except RateLimited as error:
        return error.retry_after
    return 0.0


@pytest.mark.parametrize("status", [401, 403, 429])
def test_it_stops_far_below_the_ban(status: int) -> None:
    hand = Hand()
    budget = Budget(hand)
    for _ in range(MOST):
        assert wait(budget) == 0
        budget.note(status, {}, "/webhooks/1/token")
    assert wait(budget, "any other") == WINDOW
    hand.at += WINDOW / 2
    assert wait(budget) == WINDOW / 2
    hand.at += WINDOW / 2
    assert wait(budget) == 0


def test_what_others_caused_does_not_count() -> None:
    budget = Budget(Hand())
    for _ in range(2 * MOST):
        budget.note(429, {"X-RateLimit-Scope": "shared"}, PLAIN)
    assert wait(budget) == 0


def test_a_refused_token_rests() -> None:
    hand = Hand()
    budget = Budget(hand)
    for _ in range(2):
        budget.note(401, {}, PLAIN)
    budget.check("a")
    budget.note(401, {}, PLAIN)
    with pytest.raises(Unauthorized):
        budget.check("a")
    budget.check("who", asks_who_we_are=True)
    hand.at += PAUSE
    budget.check("a")
    budget.note(401, {}, PLAIN)
    with pytest.raises(Unauthorized):
        budget.check("a")
    budget.note(200, {}, "/api/v10/users/@me")
    budget.check("a")


def test_the_right_of_a_command_is_not_the_token() -> None:
    budget = Budget(Hand())
    for _ in range(9):
        budget.note(401, {}, "/api/v10/webhooks/1/token/messages/@original")
    budget.check("a")


def test_only_the_scope_that_is_full_waits() -> None:
    hand = Hand()
    budget = Budget(hand)
    budget.hold("a", 14_000)
    assert (wait(budget, "a"), wait(budget, "b")) == (14_000, 0)
    budget.hold(None, 30)
    assert (wait(budget, "a"), wait(budget, "b")) == (14_000, 30)
    hand.at += 30
    assert wait(budget, "b") == 0
    hand.at += 14_000
    assert wait(budget, "a") == 0


def test_a_long_limit_of_the_whole_bot_holds_all() -> None:
    budget = Budget(Hand())
    budget.note(429, {"X-RateLimit-Global": "true", "Retry-After": "9"}, PLAIN)
    assert wait(budget) == 9
    budget.note(429, {"X-RateLimit-Global": "true", "Retry-After": "14000"}, PLAIN)
    assert wait(budget) == 14_000
    budget.note(429, {"X-RateLimit-Global": "true", "Retry-After": "soon"}, PLAIN)
    assert wait(budget) == 14_000
