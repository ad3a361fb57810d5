"""Discord's published rules that need no server: ids, whom a text pings, command names, buckets."""

import pytest

from bots.simulators.clock import TurnableClock
from bots.simulators.discord.commands import CommandBook
from bots.simulators.discord.errors import ApiError, too_long
from bots.simulators.discord.limits import Limits, RateLimited
from bots.simulators.discord.mentions import Pings, pings_of, read_allowed_mentions
from bots.simulators.discord.snowflakes import Snowflakes, moment_of, snowflake_at, stable_id


def test_ids_rise_and_tell_their_time() -> None:
    now = 1_780_000_000.123
    ids = Snowflakes(lambda: now)
    first, second = ids.next(), ids.next()
    assert first < second
    assert moment_of(second) == pytest.approx(now, abs=0.001)
    # The documentation's own example: 175928847299117063 was made on 2016-04-30 at 11:18:25.796 UTC.
    assert moment_of(175928847299117063) == pytest.approx(1_462_015_105.796, abs=0.001)


def test_names_are_older_than_what_happens_and_numbers_are_themselves() -> None:
    assert stable_id("user", "ann") == stable_id("user", "ann") < snowflake_at(1_780_000_000)
    assert stable_id("user", "ann") != stable_id("channel", "ann")
    assert stable_id("user", "81384788765712384") == 81384788765712384


@pytest.mark.parametrize(
    ("content", "allowed", "pinged"),
    [
        ("<@1> <@!2> <@&3>", None, Pings(users=(1, 2), roles=(3,))),
        ("@everyone and @here", None, Pings(everybody=("everyone", "here"))),
        ("<@1> <@2> @everyone", {"parse": []}, Pings()),
        ("<@1> <@2>", {"parse": [], "users": ["2"]}, Pings(users=(2,))),
        ("<@&3> <@1>", {"parse": ["roles"]}, Pings(roles=(3,))),
        ("`<@1>` ```\n@everyone\n``` <@2>", None, Pings(users=(2,))),
        ("<@1> <@1>", None, Pings(users=(1,))),
    ],
)
def test_only_what_is_named_and_allowed_pings(content: str, allowed: object, pinged: Pings) -> None:
    assert pings_of(content, read_allowed_mentions(allowed)) == pinged


@pytest.mark.parametrize(
    ("allowed", "pinged"), [(None, (7,)), ({"parse": []}, ()), ({"replied_user": True}, (7,))]
)
def test_a_reply_pings_its_author_when_allowed(allowed: object, pinged: tuple[int, ...]) -> None:
    assert pings_of("yes", read_allowed_mentions(allowed), replied_to=7).users == pinged


@pytest.mark.parametrize(
    "allowed", [{"parse": ["users"], "users": ["1"]}, {"parse": ["somebody"]}, {"users": ["ann"]}, []]
)
def test_a_contradictory_allowance_is_refused(allowed: object) -> None:
    with pytest.raises(ApiError) as refused:
        read_allowed_mentions(allowed)
    assert refused.value.code == 50035


def test_a_form_error_is_nested_as_the_api_nests_it() -> None:
    assert too_long("data.content", 2000).as_json() == {
        "message": "Invalid Form Body",
        "code": 50035,
        "errors": {
            "data": {
                "content": {
                    "_errors": [
                        {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}
                    ]
                }
            }
        },
    }


def test_a_command_keeps_its_id_while_its_name_stays() -> None:
    book = CommandBook(1, 100)
    (first,) = book.replace(0, [{"name": "ask", "description": "Ask"}])
    again, other = book.replace(
        0, [{"name": "ask", "description": "Ask me"}, {"name": "new", "description": "New"}]
    )
    assert again["id"] == first["id"] != other["id"]
    assert again["version"] != first["version"]
    own = book.put(7, {"name": "ask", "description": "Here only"})
    assert book.find("ask", 7) == own
    assert book.find("ask", 8) == again


@pytest.mark.parametrize(
    "command",
    [
        {"name": "Ask", "description": "x"},
        {"name": "a b", "description": "x"},
        {"name": "", "description": "x"},
        {"name": "a" * 33, "description": "x"},
        {"name": "ask", "description": ""},
        {"name": "ask", "description": "x", "options": [{"name": "Bad Name", "description": "x", "type": 3}]},
    ],
)
def test_a_command_against_the_naming_rules_is_refused(command: dict[str, object]) -> None:
    with pytest.raises(ApiError) as refused:
        CommandBook(1, 100).replace(0, [command])
    assert refused.value.code == 50035


def test_a_bucket_refuses_what_is_too_much_and_refills() -> None:
    clock = TurnableClock()
    limits = Limits(clock.now, enforced=True, ban_after=10)
    limits.sizes["create_message"] = (2, 1000.0)
    assert limits.admit("create_message", "here")["X-RateLimit-Remaining"] == "1"
    assert limits.admit("create_message", "here")["X-RateLimit-Remaining"] == "0"
    assert limits.admit("create_message", "there")["X-RateLimit-Remaining"] == "1"
    with pytest.raises(RateLimited) as refused:
        limits.admit("create_message", "here")
    assert refused.value.scope == "user"
    assert 0 < refused.value.as_json()["retry_after"] <= 1000
    assert refused.value.headers["X-RateLimit-Bucket"]
    clock.turn(1001)
    assert limits.admit("create_message", "here")["X-RateLimit-Remaining"] == "1"


def test_invalid_requests_are_counted_for_ten_minutes_shared_ones_not() -> None:
    clock = TurnableClock()
    limits = Limits(clock.now, enforced=False, ban_after=2)
    for status, scope in ((401, None), (200, None), (404, None), (429, "shared"), (403, None)):
        limits.note(status, scope)
    assert (limits.invalid_requests, limits.banned) == (2, True)
    clock.turn(601)
    assert (limits.invalid_requests, limits.banned) == (0, False)


def test_fifty_requests_a_second_in_all() -> None:
    now = 1000.0
    limits = Limits(lambda: now, enforced=True, ban_after=10_000)
    for number in range(50):
        limits.admit("get_user", str(number))
    with pytest.raises(RateLimited) as refused:
        limits.admit("get_user", "50")
    assert refused.value.as_json() == {
        "message": "You are being rate limited.",
        "retry_after": 1.0,
        "global": True,
    }
    limits.admit("create_followup_message", "token", counts_globally=False)
    now += 1.001
    limits.admit("get_user", "50")
