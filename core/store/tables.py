"""The tables, as SQLAlchemy knows them: the source for migrations and for every cold query.

Ids and times are made in Python before the write (UUIDv7); server defaults are for people who
insert by hand. Every table with people's data carries `tenant_id`. The hot statements are in
`migrations/sql`, as functions that take a whole batch.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

DEFAULT_TENANT = "00000000-0000-7000-8000-000000000001"


def _id() -> Column[object]:
    return Column("id", UUID, primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, UUID, ForeignKey(target), nullable=nullable)


def _tenant() -> Column[object]:
    return _ref("tenant_id", "tenants.id")


def _copy(name: str) -> Column[object]:
    """A key copied from the conversation, which is what the foreign keys hold on to: rows that are
    written several times a turn should not each lock and look up the same few parents again."""
    return Column(name, UUID, nullable=False)


def _time(name: str, *, nullable: bool = False) -> Column[object]:
    default = None if nullable else text("now()")
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=nullable, server_default=default)


def _number(name: str, *, nullable: bool = False, big: bool = False) -> Column[int]:
    default = None if nullable else text("0")
    return Column(name, BigInteger if big else Integer, nullable=nullable, server_default=default)


def _json(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=text("'{}'::jsonb"))


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


ENDS = ("answered", "apologised", "refused", "withdrawn", "undeliverable", "uncertain", "stale")

tenants = Table("tenants", metadata, _id(), _text("name"), _time("created_at"), UniqueConstraint("name"))

people = Table(
    "people",
    metadata,
    _id(),
    _tenant(),
    _text("display_name", nullable=True),
    _time("created_at"),
    _json("metadata"),
)

accounts = Table(
    "accounts",
    metadata,
    _id(),
    _tenant(),
    _text("channel"),
    _text("name"),
    _text("handle", default=""),
    _json("cursor"),
    _text("receiver", nullable=True),
    _time("receiver_until", nullable=True),
    _time("created_at"),
    UniqueConstraint("channel", "name"),
)

users = Table(
    "users",
    metadata,
    _id(),
    _tenant(),
    _ref("account_id", "accounts.id"),
    _ref("person_id", "people.id", nullable=True),
    _text("channel_type"),
    _text("channel_user_id"),
    _text("username", default=""),
    _text("preferred_model", nullable=True),
    _text("language", default=""),
    _text("time_zone", nullable=True),
    Column("is_blocked", Boolean, nullable=False, server_default=text("false")),
    _time("created_at"),
    _time("updated_at"),
    _json("metadata"),
    Column("weight", REAL, nullable=False, server_default=text("1")),
    UniqueConstraint("account_id", "channel_type", "channel_user_id"),
    CheckConstraint("weight > 0", name="weight"),
)

conversations = Table(
    "conversations",
    metadata,
    _id(),
    _tenant(),
    _ref("account_id", "accounts.id"),
    _ref("user_id", "users.id"),
    _text("channel_type"),
    _text("chat"),
    _text("thread", default=""),
    Column("is_direct", Boolean, nullable=False, server_default=text("true")),
    _text("model_override", nullable=True),
    _time("started_at"),
    _time("last_activity"),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    _json("metadata"),
    _number("next_seq", big=True),
    _time("wake_at", nullable=True),
    _text("lease_owner", nullable=True),
    _number("lease_token", big=True),
    _time("lease_until", nullable=True),
    Column("last_message_id", UUID, nullable=True),
    Index("ix_conversations_user_id", "user_id"),
    Index("ix_conversations_last_activity", text("last_activity DESC")),
    Index("ix_conversations_is_active_user_id", "is_active", "user_id"),
    Index(
        "uq_conversations_place",
        "account_id",
        "chat",
        "thread",
        unique=True,
        postgresql_where=text("is_active"),
    ),
    Index("ix_conversations_wake_at", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
    Index("ix_conversations_held", "user_id", postgresql_where=text("lease_owner IS NOT NULL")),
    # A conversation row changes four times a turn: room on its page keeps those updates in place.
    postgresql_with={"fillfactor": "70"},
)

turns = Table(
    "turns",
    metadata,
    _id(),
    _copy("tenant_id"),
    _ref("conversation_id", "conversations.id"),
    _text("kind"),
    _text("state"),
    _number("attempts"),
    _number("lease_token", big=True),
    _number("config_version", big=True),
    _time("started_at"),
    _time("deadline_at"),
    _time("ended_at", nullable=True),
    _text("outcome", nullable=True),
    _text("error", default=""),
    _one_of("kind", "answer", "command", "refusal", "apology"),
    _one_of("state", "open", "composed", "closed"),
    _one_of("outcome", *ENDS),
    Index("ix_turns_conversation_id_started_at", "conversation_id", text("started_at DESC")),
    Index("ix_turns_unfinished", "conversation_id", postgresql_where=text("state <> 'closed'")),
)

inbox = Table(
    "inbox",
    metadata,
    _id(),
    _copy("tenant_id"),
    _copy("account_id"),
    _text("dedupe_key"),
    _ref("conversation_id", "conversations.id"),
    _copy("user_id"),
    _number("seq", big=True),
    _text("kind"),
    _text("state", default="waiting"),
    _text("outcome", nullable=True),
    _ref("turn_id", "turns.id", nullable=True),
    _number("attempts"),
    Column("payload", JSONB, nullable=True),
    _time("sent_at"),
    _time("accepted_at"),
    _time("done_at", nullable=True),
    _number("revision"),
    UniqueConstraint("account_id", "dedupe_key"),
    UniqueConstraint("conversation_id", "seq"),
    _one_of("kind", "message", "command", "stop"),
    _one_of("state", "waiting", "running", "done"),
    _one_of("outcome", *ENDS),
    Index("ix_inbox_open", "conversation_id", "seq", postgresql_where=text("state <> 'done'")),
    Index("ix_inbox_turn_id", "turn_id"),
    postgresql_with={"fillfactor": "80"},
)

outbox = Table(
    "outbox",
    metadata,
    _id(),
    _copy("tenant_id"),
    _ref("turn_id", "turns.id"),
    _ref("conversation_id", "conversations.id"),
    _number("part"),
    _text("op"),
    _text("body"),
    _text("reply_to", default=""),
    _text("state"),
    _text("receipt", nullable=True),
    _number("attempts"),
    _text("error", default=""),
    _time("first_sent_at", nullable=True),
    _time("created_at"),
    _time("updated_at"),
    UniqueConstraint("turn_id", "part", "op"),
    _one_of("op", "preview", "send", "edit", "notice"),
    _one_of("state", "pending", "sending", "sent", "uncertain", "dead"),
    postgresql_with={"fillfactor": "80"},
)

messages = Table(
    "messages",
    metadata,
    Column("id", UUID, nullable=False),
    _copy("tenant_id"),
    _ref("conversation_id", "conversations.id"),
    Column("turn_id", UUID, nullable=True),
    Column("user_id", UUID, nullable=True),
    _text("role"),
    _text("content"),
    _text("model_used", nullable=True),
    _time("timestamp"),
    _number("token_count", nullable=True),
    _json("metadata"),
    PrimaryKeyConstraint("id", "timestamp"),
    _one_of("role", "user", "assistant", "system", "tool"),
    Index("ix_messages_conversation_id_timestamp", "conversation_id", text("timestamp DESC")),
    Index("ix_messages_timestamp", text("timestamp DESC")),
    postgresql_partition_by="RANGE (timestamp)",
)

model_calls = Table(
    "model_calls",
    metadata,
    _id(),
    _copy("tenant_id"),
    _copy("account_id"),
    _ref("conversation_id", "conversations.id"),
    _copy("user_id"),
    _ref("turn_id", "turns.id"),
    _text("channel"),
    _text("agent", default="parley"),
    _text("kind", default="answer"),
    _number("attempt"),
    _text("model"),
    _text("model_served", default=""),
    _text("state"),
    _number("reserved_prompt"),
    _number("reserved_completion"),
    _number("reserved_micro", nullable=True, big=True),
    _number("prompt_tokens"),
    _number("cached_tokens"),
    _number("completion_tokens"),
    _number("reasoning_tokens"),
    _number("cost_micro", nullable=True, big=True),
    _text("price_source", nullable=True),
    Column("estimated", Boolean, nullable=False, server_default=text("false")),
    _time("started_at"),
    _number("first_token_ms", nullable=True),
    _number("duration_ms", nullable=True),
    _text("finish_reason", default=""),
    _text("error", default=""),
    _text("request_id", default=""),
    UniqueConstraint("turn_id", "attempt"),
    _one_of("state", "reserved", "settled", "failed", "interrupted"),
    Index("ix_model_calls_user_id_started_at", "user_id", text("started_at DESC")),
    postgresql_with={"fillfactor": "80"},
)

usage_hourly = Table(
    "usage_hourly",
    metadata,
    Column("hour", DateTime(timezone=True), nullable=False),
    _copy("tenant_id"),
    _copy("account_id"),
    _text("channel"),
    _text("model"),
    _number("calls", big=True),
    _number("failed_calls", big=True),
    _number("estimated_calls", big=True),
    _number("unpriced_calls", big=True),
    _number("prompt_tokens", big=True),
    _number("cached_tokens", big=True),
    _number("completion_tokens", big=True),
    _number("reasoning_tokens", big=True),
    _number("cost_micro", big=True),
    PrimaryKeyConstraint("hour", "tenant_id", "account_id", "channel", "model"),
)

channel_configs = Table(
    "channel_configs",
    metadata,
    _id(),
    _tenant(),
    _text("channel_type"),
    _text("scope", default="channel"),
    _ref("account_id", "accounts.id", nullable=True),
    _text("chat", nullable=True),
    _text("default_model", nullable=True),
    _json("settings"),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _time("created_at"),
    _time("updated_at"),
    _one_of("scope", "channel", "account", "chat"),
    UniqueConstraint(
        "tenant_id", "channel_type", "scope", "account_id", "chat", postgresql_nulls_not_distinct=True
    ),
)

# Which database this is, and how far it has lived: a restored backup is older than its witnesses remember.
# One row, made by the first gateway that starts: were it the migration's, a copy of an empty database would
# bear the same name.
identity = Table(
    "identity",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False, server_default=text("1")),
    Column("deployment", UUID, nullable=False),
    _text("fingerprint", default=""),
    Column("timeline", Integer, nullable=True),
    _number("beat", big=True),
    _time("beaten_at"),
    CheckConstraint("id = 1", name="one_row"),
)

# While one of these is not lifted no work is handed out.
fences = Table(
    "fences",
    metadata,
    _id(),
    _time("raised_at"),
    _text("reason"),
    _time("lifted_at", nullable=True),
    _text("lifted_as", nullable=True),
    _one_of("lifted_as", "uncertain", "resume"),
    CheckConstraint("(lifted_at IS NULL) = (lifted_as IS NULL)", name="lifted"),
    Index("ix_fences_standing", "raised_at", postgresql_where=text("lifted_at IS NULL")),
    Index("ix_fences_doubt", text("raised_at DESC"), postgresql_where=text("lifted_as = 'uncertain'")),
)

instances = Table(
    "instances",
    metadata,
    Column("name", Text, primary_key=True),
    _text("host"),
    Column("pid", Integer, nullable=False),
    _text("role"),
    _text("version"),
    _text("revision"),
    _time("started_at"),
    _time("seen_at"),
    Column("draining", Boolean, nullable=False, server_default=text("false")),
    _number("holds"),
    Column("receives", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    _one_of("role", "all", "ingress", "worker", "web"),
    # Every instance writes its row each few seconds.
    postgresql_with={"fillfactor": "50"},
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", Text, primary_key=True),
    _text("holder", nullable=True),
    _time("held_until", nullable=True),
    _time("last_run", nullable=True),
    postgresql_with={"fillfactor": "50"},
)
