"""The groups of settings, one for each neighbour or concern: what may be set, and within which bounds.

A field without a default here has its default in `config/default.toml`; one with a default may stay unset.
Units stand in the names: seconds, tokens, characters, messages a minute.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from config.values import (
    Count,
    HttpURL,
    Lower,
    Names,
    Pairs,
    PostgresURL,
    RedisURL,
    Seconds,
    Secret,
    SocketURL,
    WholeSeconds,
    Word,
    secret,
    setting,
)

USUAL_PORT = 8080


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Database(Group):
    url: PostgresURL | None = secret(
        "Postgres 15+ with pgvector; unset: a private one is started.", env="DATABASE_URL"
    )
    replica_url: PostgresURL | None = secret(
        "A read replica for analysts; unset: the database itself.", env="DATABASE_REPLICA_URL"
    )
    pool_size: int = setting("Connections kept open.", ge=1, le=1_000)
    max_overflow: int = setting("Connections opened beyond the pool when it is busy.", ge=0, le=1_000)
    pool_recycle_seconds: int = setting("Age at which a connection is replaced.", ge=1, le=86_400)
    pool_timeout_seconds: Seconds = setting("How long to wait for a free connection.")
    statement_timeout_seconds: Seconds = setting("Longest statement the server allows us.")
    lock_timeout_seconds: Seconds = setting("Longest wait for a lock.")
    idle_in_transaction_timeout_seconds: Seconds = setting("Longest pause inside an open transaction.")


class Redis(Group):
    url: RedisURL | None = secret(
        "Redis 7+ or Valkey 8+, standalone, Sentinel or Cluster; unset: a private one is started.",
        env="REDIS_URL",
    )
    pool_size: int = setting("Connections at most.", ge=1, le=10_000)
    timeout_seconds: Seconds = setting("Longest wait for the socket, to connect and to answer.")


class OpenAI(Group):
    api_key: Secret | None = secret("Key of the model's API.", env="OPENAI_API_KEY")
    base_url: HttpURL | None = setting(
        "Where an OpenAI-compatible API lives, up to and with /v1; unset: api.openai.com.",
        default=None,
        env="OPENAI_BASE_URL",
    )


class Model(Group):
    name: Word = setting("The default model.", env="PARLEY_MODEL")
    fallbacks: Names = setting("Models to try, in this order, when the chosen one fails.")
    offered: Names = setting("Models a person may choose with /model; empty: the default and the fallbacks.")
    connect_seconds: Seconds = setting("Longest wait for a connection to the model.")
    first_token_seconds: Seconds = setting("Longest wait for the first word of an answer.")
    between_tokens_seconds: Seconds = setting("Longest pause inside an answer.")
    turn_seconds: Seconds = setting("Longest answer, from question to end, over all attempts.")
    context_tokens: int = setting("Tokens of a prompt at most.", ge=256, le=10_000_000)
    answer_tokens: int = setting("Tokens of an answer at most.", ge=1, le=1_000_000)
    system_prompt: str = setting(
        "What the model is told about itself, first in every prompt.", max_length=32_000
    )


class Turns(Group):
    lease_seconds: float = setting("How long a silent instance keeps a conversation.", ge=1, le=3_600)
    concurrency: Count = setting("Turns one instance runs at once.")
    batch_max: int = setting("Turns' writes that share one commit, at most.", ge=1, le=10_000)
    # A page of updates or of history is 100: less room would refuse it however often it came.
    queue_max: int = setting(
        "Writes that may wait; beyond it, what arrives is refused and comes again.", ge=200, le=1_000_000
    )
    burst_seconds: float = setting("First wait for more messages of the same burst.", ge=0, le=60)
    poll_seconds: Seconds = setting("How often waiting work is looked for when no notification came.")
    drain_seconds: Seconds = setting("How long a stopping instance finishes what it has begun.")
    attempts: int = setting("Times a turn is begun before the person gets an apology.", ge=1, le=100)
    late_seconds: Seconds = setting("Age at which a question gets one apology instead of a late answer.")
    stale_seconds: Seconds = setting("Age at which a question is closed and only reported.")
    merge_max: int = setting("Waiting messages of one author that one turn answers, at most.", ge=1, le=1_000)


class Limits(Group):
    user_per_minute: Count = setting("Messages a minute from one user.")
    address_per_minute: Count = setting("Requests a minute from one network address.")
    endpoint_per_minute: Count = setting("Requests a minute to one endpoint.")
    message_chars: Count = setting("Characters of one message at most.")


class Context(Group):
    messages: int = setting("Messages of the talk that a prompt remembers.", ge=1, le=1_000)
    ttl_seconds: WholeSeconds = setting("How long Redis keeps a context.")


class Session(Group):
    ttl_seconds: WholeSeconds = setting("How long Redis keeps a session without activity.")


class Presence(Group):
    seconds: WholeSeconds = setting("How long somebody counts as active.")


class Telegram(Group):
    token: Secret | None = secret("The bot's token, from @BotFather.", env="TELEGRAM_TOKEN")
    api_url: HttpURL = setting("The Bot API: what stands before /bot<token>.", env="TELEGRAM_API_URL")
    poll_seconds: int = setting("How long one request for updates waits.", ge=0, le=50)
    stream: bool = setting("Show an answer while it grows.")
    edit_private_seconds: float = setting("Time between two edits in a private chat.", ge=0, le=60)
    edit_group_seconds: float = setting("Time between two edits in a group.", ge=0, le=60)


class Discord(Group):
    token: Secret | None = secret("The bot's token, from the developer portal.", env="DISCORD_TOKEN")
    api_url: HttpURL = setting("The REST API, up to and with /api/v10.", env="DISCORD_API_URL")
    gateway_url: SocketURL | None = setting(
        "The gateway; set, it wins over what Discord names.", default=None, env="DISCORD_GATEWAY_URL"
    )
    message_content: bool = setting("Ask for the message content intent: read `!name` without a mention too.")
    stream: bool = setting("Show an answer while it grows.")
    edit_direct_seconds: float = setting("Time between two edits in a direct message.", ge=0, le=60)
    edit_server_seconds: float = setting("Time between two edits in a server.", ge=0, le=60)


class Slack(Group):
    bot_token: Secret | None = secret("The bot's token, xoxb-...", env="SLACK_BOT_TOKEN")
    app_token: Secret | None = secret("The app's token for Socket Mode, xapp-...", env="SLACK_APP_TOKEN")
    signing_secret: Secret | None = secret("Proves that a webhook is Slack's.", env="SLACK_SIGNING_SECRET")
    api_url: HttpURL = setting("The Web API: what stands before the method's name.", env="SLACK_API_URL")


class Web(Group):
    host: Word = setting("Address the web server listens on.")
    port: int | None = setting(
        "Its port, 0 for any; unset: 8080 or the next free one.", default=None, ge=0, le=65_535
    )

    @property
    def first_port(self) -> int:
        """The port to try first; only when `port` is None may the server go on to the next."""
        return USUAL_PORT if self.port is None else self.port


class Access(Group):
    mode: Annotated[Literal["open", "allowlist"], Lower] | None = setting(
        "Who may talk to the bot; a real channel does not start before this is chosen.",
        default=None,
        env="PARLEY_ACCESS",
    )
    allow: Pairs = setting("Who may when it is allowlist: telegram:123,discord:456.", env="PARLEY_ALLOW")


class Log(Group):
    level: Annotated[Literal["debug", "info", "warning", "error"], Lower] = setting(
        "The least line worth writing."
    )
    format: Annotated[Literal["auto", "json", "console"], Lower] = setting(
        "auto: console on a terminal, else json."
    )
