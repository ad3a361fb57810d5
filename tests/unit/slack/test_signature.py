"""What stands before everything that is posted: only what Slack signed, lately, and once."""

import gzip
import hmac
from hashlib import sha256

import pytest

from bots.slack.webhook import MOST_BYTES, Webhook, is_genuine, read

SECRET = b"8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_800_000_000
BODY = b'{"type":"event_callback","event":{}}'
STAMP, SIGN = "X-Slack-Request-Timestamp", "X-Slack-Signature"


def sign(body: bytes = BODY, at: object = NOW, secret: bytes = SECRET, version: str = "v0") -> str:
    return f"{version}=" + hmac.new(secret, f"{version}:{at}:".encode() + body, sha256).hexdigest()


def headers(at: object = NOW, signature: str | None = None) -> list[tuple[str, str]]:
    return [(STAMP, str(at)), (SIGN, sign(at=at) if signature is None else signature)]


GOOD = sign()
FORGED: dict[str, list[tuple[str, str]]] = {
    "nothing": [],
    "no signature": [(STAMP, str(NOW))],
    "no timestamp": [(SIGN, GOOD)],
    "two timestamps": [*headers(), (STAMP, str(NOW))],
    "two signatures": [*headers(), (SIGN, GOOD)],
    "two signatures, the first wrong": [(SIGN, sign(secret=b"x")), *headers()],
    "other secret": headers(signature=sign(secret=b"other")),
    "no secret": headers(signature=sign(secret=b"")),
    "other body": headers(signature=sign(BODY + b" ")),
    "other time signed": headers(signature=sign(at=NOW - 1)),
    "version 1": headers(signature=sign(version="v1")),
    "no version": headers(signature=GOOD.removeprefix("v0=")),
    "upper case": headers(signature=GOOD.upper()),
    "upper case digest": headers(signature="v0=" + GOOD[3:].upper()),
    "half": headers(signature=GOOD[:30]),
    "one more": headers(signature=GOOD + "0"),
    "one less": headers(signature=GOOD[:-1]),
    "blank before": headers(signature=" " + GOOD),
    "blank after": headers(signature=GOOD + " "),
    "line end": headers(signature=GOOD + "\n"),
    "non-ASCII": headers(signature="v0=" + "é" * 64),
    "wide digits": headers(signature="v0=" + "１" * 64),
    "null": headers(signature="v0=\x00"),
    "list": headers(signature=f"{GOOD},{GOOD}"),
    **{
        f"signature {text!r}": headers(signature=text)
        for text in (
            "", "v0", "v0=", "=", "v0=zz", "null", "[]", "v0=" + "0" * 64, "v0=" + "g" * 64, "0" * 9000,
        )
    },
    **{f"{age} s ago": headers(at=NOW - age) for age in (301, 302, 3600, 10**9, -301, -302, -3600, -(10**9))},
    **{
        f"timestamp {text!r}": headers(at=text)
        for text in (
            "", " ", "-1", f"-{NOW}", f"+{NOW}", f" {NOW}", f"{NOW} ", f"{NOW}.0", f"{NOW}\n", "now", "NaN",
            "inf", "1e9", "0x6b49d200", f"{NOW}" * 3, "9" * 30, "9" * 5000, "1_800_000_000", "٣", "１８",
        )
    },
}  # fmt: skip


def test_there_are_enough_forgeries() -> None:
    assert len(FORGED) >= 60


@pytest.mark.parametrize("forged", list(FORGED.values()), ids=list(FORGED))
async def test_a_forgery_is_401(forged: list[tuple[str, str]]) -> None:
    assert is_genuine(SECRET, forged, BODY, NOW) is False
    answer = await Webhook(SECRET.decode(), lambda: None, now=lambda: NOW).handle(forged, BODY)
    assert answer.status == 401


@pytest.mark.parametrize("age", [0, 1, 299, 300, -299, -300])
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_the_genuine_is_believed(age: int, case: type[str]) -> None:
    given = [(case(name), value) for name, value in headers(at=NOW - age)]
    assert is_genuine(SECRET, given, BODY, NOW)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (MOST_BYTES + 1), 413),
        (b"x" * 2_000_000, 413),
        (gzip.compress(BODY, mtime=0), 401),
        (b"", 401),
    ],
    ids=["a byte too long", "much too long", "packed", "empty"],
)
async def test_other_bodies_under_the_same_signature(body: bytes, status: int) -> None:
    answer = await Webhook(SECRET.decode(), lambda: None, now=lambda: NOW).handle(headers(), body)
    assert answer.status == status


async def test_before_the_channel_is_connected_slack_is_asked_to_come_again() -> None:
    answer = await Webhook(SECRET.decode(), lambda: None, now=lambda: NOW).handle(headers(), BODY)
    assert (answer.status, "Retry-After" in answer.headers) == (503, True)


def test_payloads_in_all_three_forms() -> None:
    assert read(BODY) == {"type": "event_callback", "event": {}}
    assert read(b"command=%2Fparley&text=a+payload%3D1&empty=") == {
        "command": "/parley",
        "text": "a payload=1",
        "empty": "",
    }
    assert read(b"payload=%7B%22type%22%3A%22block_actions%22%7D") == {"type": "block_actions"}
    assert read(b"payload=x&text=y") == {"payload": "x", "text": "y"}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"payload=[]", b"payload=", b"payload=1"])
def test_what_is_no_payload_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        read(body)
