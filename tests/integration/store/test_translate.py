"""What each failure of driver, pool and server means: refused for ever, or to be tried again."""

import asyncpg
import pytest
import sqlalchemy.exc
from sqlalchemy import text

from core.embedded import Pair
from core.errors import RowRefused, StoreError, StoreUnavailable
from core.store.database import HotConnection, PoolSize, driver_url, open_engine, transaction, translate

STATES = [
    ("22021", RowRefused),  # character not in repertoire
    ("22P02", RowRefused),  # invalid text representation
    ("22P05", RowRefused),  # untranslatable character
    ("22003", RowRefused),  # numeric value out of range
    ("23502", RowRefused),  # not null violation
    ("23503", RowRefused),  # foreign key violation
    ("23505", RowRefused),  # unique violation
    ("23514", RowRefused),  # check violation
    ("21000", RowRefused),  # cardinality violation
    ("54000", RowRefused),  # program limit exceeded
    ("08006", StoreUnavailable),  # connection failure
    ("0A000", StoreUnavailable),  # a cached plan that a migration made old
    ("25006", StoreUnavailable),  # read-only: a standby, or a failover
    ("25P03", StoreUnavailable),  # idle in transaction
    ("28P01", StoreUnavailable),  # invalid password
    ("3D000", StoreUnavailable),  # no such database
    ("40001", StoreUnavailable),  # serialisation failure
    ("40P01", StoreUnavailable),  # deadlock
    ("42501", StoreUnavailable),  # insufficient privilege
    ("42883", StoreUnavailable),  # a function that is not there (yet)
    ("42P01", StoreUnavailable),  # a table that is not there (yet)
    ("53100", StoreUnavailable),  # disk full: "could not extend file"
    ("53200", StoreUnavailable),  # out of memory
    ("53300", StoreUnavailable),  # too many connections
    ("55P03", StoreUnavailable),  # lock not available
    ("57014", StoreUnavailable),  # statement timeout
    ("57P01", StoreUnavailable),  # admin shutdown
    ("57P03", StoreUnavailable),  # cannot connect now
    ("58030", StoreUnavailable),  # i/o error
    ("XX000", StoreUnavailable),  # internal error
]


@pytest.fixture
def url(pair: Pair) -> str:
    """The server's own database: nothing here needs a schema."""
    assert pair.database_url is not None
    return pair.database_url


@pytest.mark.parametrize(("state", "meaning"), STATES)
def test_a_state_of_the_server(state: str, meaning: type[StoreError]) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "what the server said\nand more"})
    found = translate(error)
    assert type(found) is meaning
    assert str(found).endswith(": what the server said")


async def test_states_of_the_server_through_sqlalchemy(url: str) -> None:
    """Raised by the server itself, and wrapped by SQLAlchemy on their way."""
    engine = open_engine(url)
    for state, meaning in STATES:
        raising = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'said so'; END $$"
        with pytest.raises(StoreError, match="said so") as caught:
            async with transaction(engine) as connection:
                await connection.execute(text(raising))
        assert type(caught.value) is meaning, state
    await engine.dispose()


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        sqlalchemy.exc.TimeoutError("QueuePool limit reached"),
        ConnectionRefusedError(111, "Connection refused"),
        TimeoutError(),
    ],
)
def test_what_is_not_from_the_server_may_be_tried_again(error: BaseException) -> None:
    found = translate(error)
    assert type(found) is StoreUnavailable
    assert type(error).__name__ in str(found)


async def test_a_full_pool_is_unavailable(url: str) -> None:
    engine = open_engine(url, PoolSize(size=1, overflow=0, wait=0.01))
    async with engine.connect():
        with pytest.raises(StoreUnavailable):
            async with transaction(engine):
                raise AssertionError("there is no second connection")
        with pytest.raises(StoreUnavailable):
            await HotConnection(engine).fetch("SELECT 1")
    await engine.dispose()


async def test_a_port_where_nobody_listens_is_unavailable() -> None:
    engine = open_engine("postgres://somebody:hunter2@127.0.0.1:1/nowhere")
    with pytest.raises(StoreUnavailable) as caught:
        await HotConnection(engine).fetch("SELECT 1")
    assert "hunter2" not in str(caught.value)
    await engine.dispose()


async def test_a_hot_connection_mends_itself(url: str) -> None:
    engine = open_engine(url)
    hot = HotConnection(engine)
    ((first,),) = await hot.fetch("SELECT pg_backend_pid()")
    with pytest.raises(RowRefused):
        await hot.fetch("SELECT 1 / 0")
    assert (await hot.fetch("SELECT pg_backend_pid()"))[0][0] == first
    with pytest.raises(StoreUnavailable):
        await hot.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
    ((second,),) = await hot.fetch("SELECT pg_backend_pid()")
    assert first != second
    await hot.close()
    await hot.close()
    await engine.dispose()


async def test_every_connection_has_its_timeouts(url: str) -> None:
    engine = open_engine(url)
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit")
    found = []
    for name in names:
        async with engine.connect() as connection:
            found.append((await connection.execute(text(f"SHOW {name}"))).scalar_one())
    assert found == ["5s", "2s", "10s", "off"]
    await engine.dispose()


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql://u@h/d?host=/run", "postgresql+asyncpg://u@h/d?host=/run"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
    ],
)
def test_the_driver_is_ours_to_choose(given: str, used: str) -> None:
    assert driver_url(given) == used
