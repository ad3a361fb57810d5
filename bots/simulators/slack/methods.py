"""The methods about the app, people, status and reactions, and the table of all methods known here.

docs.slack.dev/reference/methods; each returns what stands beside `"ok": true`, and raises SlackError.
"""

import re
from typing import Any

from bots.simulators.slack.calls import Call, Method, channel_of
from bots.simulators.slack.histories import history, info, open_conversation, replies
from bots.simulators.slack.limits import SPECIAL, TIER_2, TIER_3, TIER_4
from bots.simulators.slack.messages import delete, post_ephemeral, post_message, update
from bots.simulators.slack.params import SlackError, invalid
from bots.simulators.slack.streams import append_stream, start_stream, stop_stream

EMOJI = re.compile(r"[a-z0-9_+'-]+(?:::skin-tone-[2-6])?")
MOST_LOADING_MESSAGES = 10


def api_test(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/api.test"""
    if error := call.params.text("error"):
        raise SlackError(error, args=dict(call.params.values))
    return {"args": dict(call.params.values)}


def auth_test(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/auth.test"""
    app = call.app
    return {
        "url": f"https://{app.domain}.slack.com/", "team": app.team, "user": app.bot.name,
        "team_id": app.team_id, "user_id": app.bot.id, "bot_id": app.bot_id, "is_enterprise_install": False,
    }  # fmt: skip


def bots_info(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/bots.info"""
    app = call.app
    if call.params.text("bot") not in ("", app.bot_id):
        raise SlackError("bot_not_found")
    bot = {"id": app.bot_id, "deleted": False, "name": app.bot.name, "app_id": app.id, "user_id": app.bot.id}
    return {"bot": bot}


def users_info(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/users.info"""
    user = call.world.user(call.params.required("user"))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user.as_json(call.app.team_id)}


def team_info(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/team.info"""
    app = call.app
    team = {"id": app.team_id, "name": app.team, "domain": app.domain, "email_domain": "", "icon": {}}
    return {"team": team}


def open_connection(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/apps.connections.open"""
    return {"url": call.socket_url()}


def set_status(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/assistant.threads.setStatus: an empty status takes it away."""
    channel, thread_ts = channel_of(call, "channel_id"), call.params.required("thread_ts")
    if thread_ts not in channel.messages:
        raise SlackError("invalid_thread_ts")
    if "status" not in call.params.values:
        raise invalid("missing required field: status")
    loading = call.params.json("loading_messages", "invalid_arguments") or []
    if not isinstance(loading, list) or len(loading) > MOST_LOADING_MESSAGES:
        raise invalid(f"no more than {MOST_LOADING_MESSAGES} items allowed")
    channel.statuses[thread_ts] = (call.params.text("status"), call.world.clock.now())
    return {}


def add_reaction(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/reactions.add"""
    channel, name = channel_of(call), call.params.required("name").strip(":")
    message = channel.message(call.params.required("timestamp"))
    if message is None:
        raise SlackError("message_not_found")
    if not EMOJI.fullmatch(name):
        raise SlackError("invalid_name")
    if name in message.seen.extra["reactions"]:
        raise SlackError("already_reacted")
    message.seen.extra["reactions"].append(name)
    return {}


def remove_reaction(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/reactions.remove"""
    channel, name = channel_of(call), call.params.required("name").strip(":")
    message = channel.message(call.params.required("timestamp"))
    if message is None:
        raise SlackError("message_not_found")
    if name not in message.seen.extra["reactions"]:
        raise SlackError("no_reaction")
    message.seen.extra["reactions"].remove(name)
    return {}


def methods() -> dict[str, Method]:
    """Return every method known here by its documented name."""
    write = "chat:write"
    return {
        "api.test": Method(run=api_test),
        "auth.test": Method(run=auth_test),
        "bots.info": Method(run=bots_info, scope="users:read", tier=TIER_3),
        "users.info": Method(run=users_info, scope="users:read", tier=TIER_4),
        "team.info": Method(run=team_info, scope="team:read", tier=TIER_3),
        "conversations.info": Method(run=info, scope="channels:read", tier=TIER_3),
        "conversations.open": Method(run=open_conversation, scope="im:write", tier=TIER_3),
        "conversations.history": Method(run=history, scope="channels:history", tier=TIER_3),
        "conversations.replies": Method(run=replies, scope="channels:history", tier=TIER_3),
        "chat.postMessage": Method(run=post_message, scope=write),
        "chat.update": Method(run=update, scope=write, tier=TIER_3),
        "chat.delete": Method(run=delete, scope=write, tier=TIER_3),
        "chat.postEphemeral": Method(run=post_ephemeral, scope=write, tier=TIER_4),
        "chat.startStream": Method(run=start_stream, scope=write, tier=TIER_2),
        "chat.appendStream": Method(run=append_stream, scope=write, tier=TIER_4),
        "chat.stopStream": Method(run=stop_stream, scope=write, tier=TIER_2),
        "assistant.threads.setStatus": Method(run=set_status, scope=write, tier=SPECIAL),
        "reactions.add": Method(run=add_reaction, scope="reactions:write", tier=TIER_3),
        "reactions.remove": Method(run=remove_reaction, scope="reactions:write", tier=TIER_2),
        "apps.connections.open": Method(run=open_connection, scope="connections:write", token="xapp"),
    }
