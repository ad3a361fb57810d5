"""The probes: what each part says becomes checks, and every fault names its mend."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bots.health import Check, Probe
from bots.neighbours import model
from bots.probes import ChannelState, cache, channels, database, disk, size
from core.state.health import CacheHealth
from core.store.health import DatabaseHealth, PoolHealth

POOL = PoolHealth(size=20, max_overflow=10, active=3, idle=4, waiting=0)
WELL = DatabaseHealth(
    ok=True,
    latency_ms=0.71,
    server="18.4",
    pgvector="0.8.5",
    revision="0003",
    head="0003",
    pool=POOL,
    size_bytes=8 * 1024 * 1024,
    connections_used=9,
    connections_max=200,
)


CACHE = CacheHealth(
    ok=True,
    version="9.1.0",
    latency_ms=0.2,
    used_memory=1024 * 1024,
    max_memory=512 * 1024 * 1024,
    hit_rate=0.994,
    keys=12,
)


def database_that_says(health: DatabaseHealth) -> Probe:
    async def check() -> DatabaseHealth:
        return health

    return database(check)


def cache_that_says(health: CacheHealth) -> Probe:
    async def check() -> CacheHealth:
        return health

    return cache(check)


async def only(probe: Probe) -> Check:
    (check,) = await probe()
    return check


async def test_a_well_database_tells_its_figures() -> None:
    reached, schema = await database_that_says(WELL)()
    assert (reached.name, reached.state, reached.mend) == ("database", "ok", "")
    assert reached.detail == (
        "Postgres 18.4, pgvector 0.8.5, 0.7 ms, 8.0 MiB, pool 3 active/4 idle/0 waiting, "
        "9 of 200 server connections"
    )
    assert (schema.name, schema.state, schema.detail) == ("schema", "ok", "revision 0003")


@pytest.mark.parametrize(
    ("revision", "words"), [("0002", "the database is at 0002"), (None, "the database is at no revision")]
)
async def test_an_old_schema_names_the_command(revision: str | None, words: str) -> None:
    _, schema = await database_that_says(replace(WELL, revision=revision))()
    assert schema.state == "failed"
    assert words in schema.detail
    assert "this version needs 0003" in schema.detail
    assert "parley db upgrade" in schema.mend


@pytest.mark.parametrize(
    ("since", "state", "words"),
    [
        ("0002", "ok", "revision 0004, newer than this version's 0003, which it serves"),
        ("0003", "ok", "revision 0004, newer than this version's 0003, which it serves"),
        ("0004", "failed", "the database is at 0004, which serves this version's 0003 no longer"),
        (None, "failed", "the database is at 0004, which serves this version's 0003 no longer"),
    ],
)
async def test_a_newer_schema_does_as_long_as_it_says_so(since: str | None, state: str, words: str) -> None:
    _, schema = await database_that_says(replace(WELL, revision="0004", serves_since=since))()
    assert (schema.state, schema.detail) == (state, words)
    assert ("Start a newer version" in schema.mend) is (state == "failed")


async def test_a_database_that_is_away_has_no_schema_to_judge() -> None:
    away = DatabaseHealth(ok=False, message="nothing answers at db:5432 (Connection refused)", head="0003")
    check = await only(database_that_says(away))
    assert (check.name, check.state, check.detail) == ("database", "failed", away.message)
    assert "DATABASE_URL" in check.mend


@pytest.mark.parametrize(
    ("health", "setting"),
    [
        (replace(WELL, pool=replace(POOL, active=30)), "PARLEY_DATABASE__POOL_SIZE"),
        (replace(WELL, connections_used=195), "max_connections"),
    ],
)
async def test_a_database_under_strain_is_degraded(health: DatabaseHealth, setting: str) -> None:
    reached, _ = await database_that_says(health)()
    assert reached.state == "degraded"
    assert setting in reached.mend


async def test_a_cache_tells_memory_hits_and_latency() -> None:
    check = await only(cache_that_says(CACHE))
    assert (check.state, check.mend) == ("ok", "")
    assert check.detail == "version 9.1.0, 0.2 ms, 1.0 MiB of 512.0 MiB used, 12 keys, 99% hits"


async def test_a_missing_cache_only_degrades() -> None:
    since = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    check = await only(cache_that_says(CacheHealth(ok=False, message="refused", degraded_since=since)))
    assert check.state == "degraded"
    assert check.detail.startswith("refused since 2026-11-22 09:30:00 UTC; answers go on")
    assert "REDIS_URL" in check.mend


@pytest.mark.parametrize(
    ("health", "mend"),
    [
        (replace(CACHE, used_memory=500 * 1024 * 1024), "maxmemory"),
        (replace(CACHE, message="use volatile-lru"), "volatile-lru"),
    ],
)
async def test_a_cache_that_will_lose_things_early_is_said(health: CacheHealth, mend: str) -> None:
    check = await only(cache_that_says(health))
    assert check.state == "degraded"
    assert mend in check.mend


async def test_channels_say_why_they_do_not_receive() -> None:
    states = {
        "console": ChannelState(state="up"),
        "telegram": ChannelState(state="down", why="the token is refused", mend="Set TELEGRAM_TOKEN."),
        "discord": ChannelState(state="off", why="no credentials", mend="Set DISCORD_TOKEN."),
        "slack": ChannelState(state="standby"),
    }
    checks = await channels(lambda: states)()
    assert [(check.name, check.state) for check in checks] == [
        ("channel console", "ok"),
        ("channel telegram", "failed"),
        ("channel discord", "off"),
        ("channel slack", "ok"),
    ]
    assert (checks[1].detail, checks[1].mend) == ("the token is refused", "Set TELEGRAM_TOKEN.")
    assert "another instance" in checks[3].detail


async def test_a_channel_that_is_down_always_has_a_mend() -> None:
    check = await only(channels(lambda: {"telegram": ChannelState(state="down")}))
    assert check.mend


async def test_the_scripted_model_says_what_it_is() -> None:
    check = await only(model("scripted"))
    assert check.state == "ok"
    assert "not a language model" in check.detail


async def test_a_model_that_is_not_asked_shows_its_host_only() -> None:
    check = await only(model("m", "https://user:hunter2@api.example/v1?key=k", "sk-secret", ask=False))
    assert check.detail == "m at api.example, not asked"


@pytest.mark.parametrize(
    ("low", "full", "state"), [(0, 0, "ok"), (1 << 60, 0, "degraded"), (1 << 60, 1 << 60, "failed")]
)
async def test_the_disk_is_measured_where_the_folder_will_be(
    tmp_path: Path, low: int, full: int, state: str
) -> None:
    folder = tmp_path / "not" / "yet"
    check = await only(disk(folder, low=low, full=full))
    assert check.state == state
    assert check.detail.endswith(f"free at {folder}")
    assert (str(folder) in check.mend) is (state != "ok")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 30, "3.0 GiB"), (5 << 40, "5.0 TiB")],
)
def test_sizes_are_for_people(count: int, words: str) -> None:
    assert size(count) == words
