"""Endpoints about channels and threads (docs.discord.com/developers/resources/channel)."""

from typing import Any

from bots.simulators.discord.calls import Call
from bots.simulators.discord.errors import ApiError, bad_length, cannot_send, wrong_channel_type
from bots.simulators.discord.events import message_updated, thread_created, typing_started
from bots.simulators.discord.messages import Message
from bots.simulators.discord.people import DIRECT, TEXT, Channel

LONGEST_THREAD_NAME = 100


async def trigger_typing_indicator(call: Call) -> None:
    """docs.discord.com/developers/resources/channel#trigger-typing-indicator"""
    channel = call.channel()
    if channel.type == DIRECT and channel.shut:
        raise cannot_send()
    call.house.gateway.publish(typing_started(channel, call.world.bot, call.world.clock.now()))


async def get_channel(call: Call) -> Any:
    return call.channel().as_json()


async def start_thread_from_message(call: Call) -> Any:
    """docs.discord.com/developers/resources/channel#start-thread-from-message"""
    channel, message = call.channel(), call.message()
    if message.thread is not None:
        raise ApiError(400, 160004, "A thread has already been created for this message")
    return open_thread(call, channel, message)


async def start_thread_without_message(call: Call) -> Any:
    """docs.discord.com/developers/resources/channel#start-thread-without-message"""
    return open_thread(call, call.channel(), None)


def open_thread(call: Call, channel: Channel, message: Message | None) -> Any:
    if channel.type != TEXT:
        raise wrong_channel_type()
    name = call.body.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_THREAD_NAME:
        raise bad_length("name", 1, LONGEST_THREAD_NAME)
    thread = call.world.open_thread(channel, name, call.world.bot, message)
    call.house.gateway.publish(thread_created(thread))
    if message is not None:
        call.house.gateway.publish(message_updated(message, call.world.bot))
    return thread.as_json()


async def join_thread(call: Call) -> None:
    """docs.discord.com/developers/resources/channel#join-thread"""
    if call.channel().parent is None:
        raise wrong_channel_type()
