"""Where a link leads, and whether its label says otherwise: the same rule on every channel."""

import re
from urllib.parse import urlsplit

HOST = re.compile(r"(?:[\w-]+\.)+[^\W\d][\w-]+")


def host_of(target: str) -> str:
    """The host of an address, or what stands for it in one without."""
    parts = urlsplit(target)
    return (parts.hostname or parts.path or target).lower()


def is_lie(target: str, label: str) -> bool:
    """Does the label, as people read it, name a host that the link does not lead to?"""
    real = host_of(target).removeprefix("www.").split("@")
    named = (host.lower().removeprefix("www.") for host in HOST.findall(label))
    return label != target and any(host not in real for host in named)
