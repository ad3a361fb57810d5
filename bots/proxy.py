"""The proxy that the environment names for an address, where a client does not ask by itself."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(url: str) -> str | None:
    """As `HTTPS_PROXY` and its like say, with the exceptions of `NO_PROXY`; a WebSocket's is that of its
    handshake."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
    return proxies.get(scheme) or proxies.get("all")
