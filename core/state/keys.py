"""The name of every key we keep in Redis.

What stands in braces is the hash tag of Redis Cluster
(https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags): keys of one
person share a slot, keys of one conversation share a slot, and no command names keys of two. The tag
comes before any text of a platform, so that braces in such a text cannot move it. Flags are written
by people, one key a command, and so they carry no tag.
"""

from uuid import UUID

PROBE = "probe:{parley}"
FEATURES = "features:global"


def session(channel: str, user_id: UUID, sender_id: str) -> str:
    """Hash: who talks, in which conversation, with which model."""
    return f"session:{channel}:{{{user_id}}}:{sender_id}"


def rate(kind: str, name: object) -> str:
    """Counter of one minute, such as `rate:user:{...}:minute` or `rate:ip:{...}:minute`."""
    return f"rate:{kind}:{{{name}}}:minute"


def once(name: str) -> str:
    """Whose message was the first for which something happened within this minute."""
    return f"once:{{{name}}}:minute"


def context(conversation_id: UUID) -> str:
    """List: the last messages of a conversation, newest first."""
    return f"context:conv:{{{conversation_id}}}"


def active(channel: str, minute: int) -> str:
    """Set: the users seen on a channel within one minute of the epoch."""
    return f"active:{{{channel}}}:{minute}"


def features(channel: str) -> str:
    """Hash: the feature flags of one channel."""
    return f"features:channel:{channel}"


def experiment(name: str) -> str:
    """Hash: the variants of an experiment and their weights."""
    return f"ab_test:{name}"


def beat(deployment: UUID) -> str:
    """Number: the highest beat of a database that anybody saw; it stays for ever."""
    return f"fence:beat:{{{deployment}}}"
