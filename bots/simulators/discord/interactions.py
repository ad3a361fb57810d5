"""Endpoints that answer a command; the token in the path is all the right they need.

docs.discord.com/developers/interactions/receiving-and-responding#endpoints
"""

from typing import Any

from bots.simulators.discord.calls import Call
from bots.simulators.discord.desk import Interaction
from bots.simulators.discord.errors import bad_choice, unknown
from bots.simulators.discord.events import message_created, message_updated
from bots.simulators.discord.mentions import pings_of
from bots.simulators.discord.messages import (
    COMMAND,
    EPHEMERAL,
    LOADING,
    REPLY,
    SETTABLE,
    Draft,
    Message,
    check_not_empty,
    read_draft,
)
from bots.simulators.discord.posting import change, erase

PONG, MESSAGE, DEFERRED = 1, 4, 5


async def create_interaction_response(call: Call) -> Any:
    """Answer at once (type 4) or say that an answer comes (type 5).

    Returns nothing, or with `with_response` the callback's object.
    """
    interaction = call.house.desk.to_answer(call.id("interaction"), call.path["token"])
    kind, data = call.body.get("type"), call.body.get("data") or {}
    if kind not in (MESSAGE, DEFERRED):
        raise bad_choice("type", kind, f"{MESSAGE}, {DEFERRED}")
    draft = read_draft(data, settable=SETTABLE | EPHEMERAL)
    if kind == MESSAGE:
        check_not_empty(draft)
    else:
        draft = Draft(flags=draft.flags & EPHEMERAL | LOADING)
    interaction.answered = True
    interaction.original = say(call, interaction, draft, COMMAND)
    return response_json(call, interaction, kind) if call.flag("with_response") else None


def response_json(call: Call, interaction: Interaction, kind: int) -> dict[str, Any]:
    """.../receiving-and-responding#interaction-callback-interaction-callback-response-object"""
    message = interaction.original
    assert message is not None
    return {
        "interaction": {
            "id": str(interaction.id), "type": 2, "response_message_id": str(message.id),
            "response_message_loading": bool(message.flags & LOADING),
            "response_message_ephemeral": message.ephemeral,
        },
        "resource": {"type": kind, "message": call.shown(message)},
    }  # fmt: skip


async def create_followup_message(call: Call) -> Any:
    """The first one after a deferred answer takes its place."""
    interaction = following(call)
    if interaction.original is not None and interaction.original.flags & LOADING:
        return fill(call, interaction.original)
    draft = read_draft(call.body, settable=SETTABLE | EPHEMERAL)
    check_not_empty(draft)
    message = say(call, interaction, draft, REPLY)
    interaction.followups[message.id] = message
    return call.shown(message)


async def get_webhook_message(call: Call) -> Any:
    return call.shown(answer_of(call))


async def edit_webhook_message(call: Call) -> Any:
    message = answer_of(call)
    return fill(call, message) if message.flags & LOADING else change(call, message)


async def delete_webhook_message(call: Call) -> None:
    erase(call, answer_of(call))


def say(call: Call, interaction: Interaction, draft: Draft, kind: int) -> Message:
    message = call.world.add_message(
        interaction.channel,
        call.world.bot,
        draft,
        type=kind,
        interaction=interaction.metadata(),
        reference=interaction.original if kind == REPLY else None,
    )
    message.seen.extra |= {"loading": bool(message.flags & LOADING), "asked_by": interaction.user.name}
    if not message.ephemeral:
        call.house.gateway.publish(message_created(message, call.world.bot))
    return message


def fill(call: Call, message: Message) -> Any:
    """Put the answer where "thinking" stood; whom it names is pinged as by a new message."""
    draft = read_draft(call.body)
    check_not_empty(draft)
    message.flags &= ~LOADING
    message.pings = pings_of(draft.content, draft.allowed)
    message.mentions = call.world.known_users(message.pings)
    message.embeds, message.components, message.attachments = (
        draft.embeds,
        draft.components,
        draft.attachments,
    )
    message.seen.extra |= {
        "loading": False,
        "flags": message.flags,
        "pings": call.world.names_of(message.pings, message.author),
        "embeds": draft.embeds,
    }
    call.world.ledger.edit(message.seen, call.world.version(draft.content))
    if not message.ephemeral:
        call.house.gateway.publish(message_updated(message, call.world.bot))
    return call.shown(message)


def following(call: Call) -> Interaction:
    if call.id("application") != call.world.bot.id:
        raise unknown("Webhook", 10015)
    return call.house.desk.to_follow(call.path["token"])


def answer_of(call: Call) -> Message:
    """Return the answer named by the path, `@original` or an id; raises ApiError 10008."""
    interaction, named = following(call), call.path["message"]
    message: Message | None
    if named == "@original" or (interaction.original and named == str(interaction.original.id)):
        message = interaction.original
    else:
        message = interaction.followups.get(int(named)) if named.isdigit() else None
    if message is None or message.seen.deleted_at is not None:
        raise unknown("Message", 10008)
    return message
