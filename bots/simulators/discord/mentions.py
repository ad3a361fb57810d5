"""Whom a message pings (docs.discord.com/developers/resources/message#allowed-mentions-object).

What stands in the text is held against what the sender allowed; code is no place to mention anybody.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.simulators.discord.errors import bad_choice, invalid_form, not_a_snowflake
from bots.simulators.discord.snowflakes import is_id

CODE = re.compile(r"```.*?```|``.+?``|`[^`]+`", re.DOTALL)
USER = re.compile(r"<@!?(\d{1,20})>")
ROLE = re.compile(r"<@&(\d{1,20})>")
EVERYBODY = re.compile(r"@(everyone|here)\b")
KINDS = ("everyone", "roles", "users")
MOST_IDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedMentions:
    """What may ping: whole kinds, or these users and roles only; and the author that is replied to."""

    parse: frozenset[str] = frozenset(KINDS)
    users: frozenset[int] = frozenset()
    roles: frozenset[int] = frozenset()
    replied_user: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pings:
    """Who is notified: user ids, role ids, and whether `@everyone` or `@here` did."""

    users: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    everybody: tuple[str, ...] = ()


def read_allowed_mentions(given: Any) -> AllowedMentions:
    """Read the field of a message's form; without it everything pings. Raises ApiError 50035."""
    if given is None:
        return AllowedMentions()
    if not isinstance(given, Mapping):
        raise invalid_form(
            "allowed_mentions", "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType"
        )
    parse = frozenset(given.get("parse") or ())
    for kind in parse - frozenset(KINDS):
        raise bad_choice("allowed_mentions.parse.0", kind, "'roles', 'users', 'everyone'")
    users, roles = (read_ids(given, field) for field in ("users", "roles"))
    for kind, ids in (("users", users), ("roles", roles)):
        if kind in parse and ids:
            raise invalid_form(
                "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )  # fmt: skip
    return AllowedMentions(
        parse=parse, users=users, roles=roles, replied_user=bool(given.get("replied_user", False))
    )


def read_ids(given: Mapping[str, Any], field: str) -> frozenset[int]:
    values = [str(value) for value in given.get(field) or ()]
    if len(values) > MOST_IDS:
        raise invalid_form(
            f"allowed_mentions.{field}", "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_IDS} or fewer in length."
        )
    for value in values:
        if not is_id(value):
            raise not_a_snowflake(f"allowed_mentions.{field}.0", value)
    return frozenset(map(int, values))


def pings_of(content: str, allowed: AllowedMentions, replied_to: int | None = None) -> Pings:
    """Return whom the text pings, and the author that it answers, in the order they are named."""
    text = CODE.sub(" ", content)
    users = [
        user for user in map(int, USER.findall(text)) if "users" in allowed.parse or user in allowed.users
    ]
    if replied_to is not None and allowed.replied_user:
        users.append(replied_to)
    roles = [
        role for role in map(int, ROLE.findall(text)) if "roles" in allowed.parse or role in allowed.roles
    ]
    everybody = EVERYBODY.findall(text) if "everyone" in allowed.parse else []
    return Pings(
        users=tuple(dict.fromkeys(users)),
        roles=tuple(dict.fromkeys(roles)),
        everybody=tuple(dict.fromkeys(everybody)),
    )
