"""What every `State` must do, whatever stands behind it: one server, a cluster, or nothing at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from core.ports import State
from core.state.redis_state import open_state
from tests.integration.state.talk import PATIENT, Person, said
from tests.servers import free_port, running_valkey

EVERYWHERE = ["server", "cluster", "nothing"]
WHERE_REDIS_IS = pytest.mark.parametrize("state", ["server", "cluster"], indirect=True)


@pytest.fixture(scope="module", params=EVERYWHERE)
async def state(request: pytest.FixtureRequest) -> AsyncIterator[State]:
    """A state over one server, over a cluster, or over a Redis that is not there."""
    async with AsyncExitStack() as stack:
        url = f"redis://127.0.0.1:{free_port()}"
        if request.param != "nothing":
            url = (await stack.enter_async_context(running_valkey(cluster=request.param == "cluster"))).url
        yield await stack.enter_async_context(open_state(url, PATIENT))


async def test_sixty_a_minute_pass(state: State) -> None:
    person = Person()
    glances = [await person.glance(state) for _ in range(63)]
    assert [one.over_limit for one in glances[:60]] == [None] * 60
    assert all(one.over_limit and 1 <= one.over_limit <= 60 for one in glances[60:])


async def test_one_persons_limit_is_not_anothers(state: State) -> None:
    busy, calm = Person(), Person()
    for _ in range(61):
        await busy.glance(state)
    assert (await calm.glance(state)).over_limit is None


async def test_concurrent_hits_are_counted_exactly(state: State) -> None:
    name = str(uuid4())
    waits = await asyncio.gather(*[state.hit("ip", name, 25) for _ in range(100)])
    assert sum(wait is None for wait in waits) == 25


async def test_a_limit_of_none_refuses_at_once(state: State) -> None:
    assert await state.hit("endpoint", str(uuid4()), 0) is not None


async def test_only_one_of_many_is_first_within_a_minute(state: State) -> None:
    name = str(uuid4())
    firsts = await asyncio.gather(*[state.first_this_minute(name, uuid4()) for _ in range(20)])
    assert sum(firsts) == 1


async def test_who_is_first_stays_so_within_the_minute(state: State) -> None:
    """Whoever asked may have died before it used the answer; another asks for the same message."""
    name, first, second = str(uuid4()), uuid4(), uuid4()
    asked = (first, second, first, second)
    assert [await state.first_this_minute(name, one) for one in asked] == [True, False, True, False]
    assert await state.first_this_minute(str(uuid4()), second)


async def test_nothing_known_is_a_miss(state: State) -> None:
    glance = await Person(last=uuid4()).glance(state)
    assert (glance.session, glance.context) == (None, None)


async def test_whatever_is_said_is_taken(state: State) -> None:
    person = Person(sender_id="}{ \r\n\0 käse", last=uuid4())
    await person.turn(state, said("\0\r\n{}\"'🙂" * 50))
    await person.turn(state, said("lone \ud800 surrogate"))
    await state.hit("ip", "\ud800", 1)
    await state.forget_context(person.conversation_id)
    await person.glance(state)
    assert await state.flags("telegram") == {}


@WHERE_REDIS_IS
async def test_a_session_is_found_again(state: State) -> None:
    person = Person()
    await person.turn(state, said("hello"))
    session = (await person.glance(state)).session
    assert session is not None
    assert session["user_id"] == str(person.user_id)
    assert session["conversation_id"] == str(person.conversation_id)
    assert session["model"] == "scripted"
    assert session["last_activity"].endswith("+00:00")


@WHERE_REDIS_IS
async def test_a_rebuilt_context_is_found_and_grows(state: State) -> None:
    person = Person()
    old, asked, answered, more = said("old"), said("hi", author="Ann"), said("yes"), said("more")
    await person.turn(state, asked, answered, context=(old,))
    assert (await person.glance(state)).context == (old, asked, answered)
    await person.turn(state, more)
    assert (await person.glance(state)).context == (old, asked, answered, more)


@WHERE_REDIS_IS
async def test_a_context_that_already_has_what_was_added_has_it_once(state: State) -> None:
    person = Person()
    old, new = said("old"), said("new")
    await person.turn(state, new, context=(old, new))
    assert (await person.glance(state)).context == (old, new)


@WHERE_REDIS_IS
async def test_a_context_keeps_the_last_twenty(state: State) -> None:
    person = Person()
    talk = tuple(said(str(number)) for number in range(30))
    await person.turn(state, *talk[20:25], context=talk[:20])
    assert (await person.glance(state)).context == talk[5:25]
    await person.turn(state, *talk[25:])
    assert (await person.glance(state)).context == talk[10:]


@WHERE_REDIS_IS
async def test_a_part_is_never_taken_for_a_context(state: State) -> None:
    person = Person()
    await person.turn(state, said("the list does not exist"))
    assert (await person.glance(state)).context is None


@WHERE_REDIS_IS
async def test_a_context_without_the_last_message_is_a_miss(state: State) -> None:
    person = Person()
    await person.turn(state, said("known"), context=())
    person.last = uuid4()
    assert (await person.glance(state)).context is None
    person.last = None
    assert (await person.glance(state)).context is None


@WHERE_REDIS_IS
async def test_a_forgotten_context_is_a_miss(state: State) -> None:
    person = Person()
    await person.turn(state, said("known"), context=())
    await state.forget_context(person.conversation_id)
    assert (await person.glance(state)).context is None
