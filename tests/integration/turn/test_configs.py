"""What an admin sets for a channel, an account or a chat counts within seconds, without a restart."""

from redis.asyncio import Redis

from core.errors import ParleyError
from tests.conftest import execute
from tests.integration.turn.conftest import Begin

INSERT = """
    INSERT INTO channel_configs
           (id, tenant_id, channel_type, scope, account_id, chat, default_model, settings, version)
    SELECT gen_random_uuid(), tenant_id, 'telegram', $1,
           CASE WHEN $1 <> 'channel' THEN id END, $2, $3, $4::jsonb, $5 FROM accounts"""


async def test_a_change_counts_while_it_runs(begin: Begin) -> None:
    async with begin(PARLEY_LIMITS__USER_PER_MINUTE="10000") as talk:
        await talk.ask("before")
        chat = await talk.database.fetchval("SELECT chat FROM conversations")
        await talk.database.execute(INSERT, "channel", None, "wide-model", '{"system_prompt": "Be wide."}', 4)
        await talk.database.execute(INSERT, "chat", chat, "narrow-model", "{}", 7)

        async def is_in_force() -> bool:
            await talk.ask("what now?")
            return bool(talk.model.calls[-1].model == "narrow-model")

        await talk.world.gateway.turns.settled(is_in_force)
        assert talk.model.requests[-1]["messages"][0]["content"] == "Be wide."
        await talk.ask("hello", user="bob")
        assert talk.model.calls[-1].model == "wide-model"
        assert await talk.column("SELECT DISTINCT config_version FROM turns ORDER BY 1") == [0, 4, 7]


async def test_a_flag_turns_streaming_off_while_it_runs(begin: Begin, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.hset("features:channel:telegram", "streaming", "off")
    async with begin() as talk:
        assert await talk.ask("hello") == ["echo: hello"]
        (answer,) = [seen for seen in talk.world.telegram.seen() if seen.author == "bot"]
        assert answer.edits == 0
        assert "stream" not in talk.model.requests[-1] or not talk.model.requests[-1]["stream"]


async def test_a_setting_of_the_wrong_kind_is_no_silence(begin: Begin, database_url: str) -> None:
    wrong = """
        INSERT INTO channel_configs (id, tenant_id, channel_type, settings)
        SELECT gen_random_uuid(), id, 'telegram', '{"answer_tokens": "many"}' FROM tenants"""
    await execute(database_url, wrong)
    async with begin() as talk:
        assert await talk.ask("hello") == [ParleyError.public]
        assert await talk.outcomes() == ["apologised"]
