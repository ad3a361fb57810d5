"""Take secrets out of text before it leaves the process: credentials by their shape, and known values.

The shapes are those the platforms and vendors publish. Whoever writes lines for people (the log, the
listing of settings, a mistake's line) passes them through here.
"""

import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "***"

# Shorter values would blank out half of every line, and guard nothing.
SECRET_LENGTH_MIN = 6

# What stands in the named group `keep` stays readable, so that a reader knows what was taken out.
_SHAPES = (
    # https://core.telegram.org/bots/api#authorizing-your-bot : /bot<id>:<hash>, and the token alone
    r"(?P<keep>bot\d+(?::|%3A))[\w-]+",
    r"(?<!\w)(?P<keep>\d{6,}(?::|%3A))[\w-]{20,}",
    # https://docs.slack.dev/authentication/tokens
    r"(?P<keep>xox[a-z](?:\.xox[a-z])?-|xapp-)[\w-]{6,}",
    r"(?P<keep>hooks\.slack\.com/)[\w/-]+",
    # https://docs.discord.com/developers/reference#authentication : <id>.<time>.<hash>, all base64
    r"(?<![\w.-])[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}",
    r"(?P<keep>/(?:webhooks|interactions)/\d+/)[\w-]{20,}",
    # keys of OpenAI and of the many that follow its form
    r"(?<![A-Za-z0-9])(?P<keep>sk-)[\w-]{6,}",
    # https://www.rfc-editor.org/rfc/rfc6750#section-2.1 and any other Authorization header
    r"(?P<keep>bearer\s+)[\w.~+/=-]{6,}",
    r"(?P<keep>authorization\W{1,6}(?:\w+\s+)?)[\w.~+/=-]{6,}",
    # user information in a URL; a password may itself hold an unescaped @ or /, and the bounds keep a hostile
    # line of many :// from costing the square of its length
    r"(?P<keep>://[^\s:/@'\"]{0,128}:)[^\s'\"<>]{0,256}(?=@)",
    r"(?P<keep>[?&](?:\w+_)?(?:password|token|key|secret|signature)=)[^&\s'\"]+",
)


def redactor(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """A function from text to the same text with `***` where a credential stood.

    `secrets` are exact values; of a URL only the password counts. They are also found percent-encoded.
    """
    exact = sorted(_spellings(secrets), key=len, reverse=True)
    exact_values = re.compile("|".join(map(re.escape, exact))) if exact else None
    shapes = [re.compile(shape, re.IGNORECASE | re.ASCII) for shape in _SHAPES]

    def redact(text: str) -> str:
        if exact_values is not None:
            text = exact_values.sub(HIDDEN, text)
        for shape in shapes:
            text = shape.sub(_keep, text)
        return text

    return redact


def hide_user(url: str) -> str:
    """A URL fit to be shown: who logs in, with what, and the query are hidden; scheme, host and path stay."""
    return re.sub(r"^([\w+.-]+://)(?:.*@)?([^?#]*)([?#].*)?$", _shown_url, url, flags=re.DOTALL)


def _shown_url(match: re.Match[str]) -> str:
    scheme, rest, query = match[1], match[2], match[3]
    user = f"{HIDDEN}@" if "@" in match[0] else ""
    return f"{scheme}{user}{rest}" + (f"?{HIDDEN}" if query else "")


def _keep(match: re.Match[str]) -> str:
    return (match.groupdict().get("keep") or "") + HIDDEN


def _spellings(secrets: Iterable[str]) -> set[str]:
    bare = {_password(secret) if "://" in secret else secret for secret in secrets}
    spelled = {form for secret in bare for form in (secret, unquote(secret), quote(secret, safe=""))}
    return {secret for secret in spelled if len(secret) >= SECRET_LENGTH_MIN}


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return url
