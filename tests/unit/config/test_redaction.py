"""Each form of credential is taken out of text, and what looks a little like one stays."""

import pytest

from config.redaction import hide_user, redactor

# Put together from parts, so that no scanner takes this file for a leak.
HASH = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
DISCORD = ".".join(("MTE4NTU2MzQ4MzkwMzkxODU5NA", "G49NjP", "pD8PLpKp-Xx8sr-8m1DCxSPTJZdcpcJZOExc1c"))
CREDENTIALS = {
    "telegram in a URL": f"https://api.telegram.org/bot110201543:{HASH}/getMe",
    "telegram in a quoted URL": f"https://api.telegram.org/bot110201543%3A{HASH}/getMe",
    "telegram alone": f"110201543:{HASH}",
    "a mock's telegram token": "http://127.0.0.1:1/bot1:short/getMe",
    "slack bot": "xoxb" + "-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
    "slack rotated": "xoxe.xoxb" + "-1-Mi0yLTE3NjUzNjcy",
    "slack app": "xapp" + "-1-A02QW-3456-abcdef0123456789",
    "slack webhook": "https://hooks.slack.com/services/T00/B00/XXXXXXXXXXXX",
    "slack response url": "https://hooks.slack.com/commands/T00/1/XXXXXXXXXXXX",
    "discord": DISCORD,
    "discord interaction": "https://discord.com/api/v10/webhooks/1185563483903918594/aW50ZXJhY3Rpb246MTIzNDU2/m",
    "openai": "sk" + "-proj-abcDEF0123456789_x-y",
    "bearer": "Authorization: Bearer abcdef.0123456789",
    "header dictionary": "{'Authorization': 'Basic YW5uOmh1c2hodXNo'}",
    "dsn": "postgresql://ann:s3cr3t@db.example/parley",
    "dsn with odd signs": "postgresql://ann:s3c/r@3t@db.example/parley",
    "dsn without user": "redis://:s3cr3t@cache.example/0",
    "query": "postgresql://db.example/parley?password=s3cr3t&x=1",
}
PARTS = (
    HASH,
    "short",
    "pdFZKVe",
    "Mi0yLTE3",
    "abcdef",
    "XXXX",
    "pD8PLp",
    "aW50ZX",
    "abcDEF",
    "YW5uOm",
    "s3c",
    "3t@",
)


@pytest.mark.parametrize("form", CREDENTIALS)
def test_a_credential_is_known_by_its_shape(form: str) -> None:
    text = CREDENTIALS[form]
    assert any(part in text for part in PARTS)
    clean = redactor()(f"before {text} after")
    assert not any(part in clean for part in PARTS), clean
    assert "***" in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")


@pytest.mark.parametrize(
    "text",
    [
        "the task-forces met at 12:30 and took 20000:1 odds",
        "GET https://api.telegram.org/botfather and http://127.0.0.1:8080/healthz",
        "conversation 0199a3c2-7d1e-7abc-8def-0123456789ab seq 17",
        "core.store.batch: 12 rows, 3.4 ms, tokens=512",
        "discord.com/api/v10/webhooks are off",
        "ann@example.org wrote to bob@example.org",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redactor()(text) == text


def test_exact_values_are_found_in_every_spelling() -> None:
    redact = redactor(["hush/hush+1", "postgresql://ann:pass%2Fword@db.example/parley", "abc"])
    assert redact("hush/hush+1 hush%2Fhush%2B1 pass%2Fword pass/word") == "*** *** *** ***"
    assert redact("abc at db.example") == "abc at db.example", (
        "three letters would blank out half of every line"
    )


def test_a_longer_secret_wins_over_one_it_contains() -> None:
    assert redactor(["secret", "secret-and-more"])("secret-and-more") == "***"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://cache.example:6379/0", "redis://cache.example:6379/0"),
        ("redis://:p@cache.example/0", "redis://***@cache.example/0"),
        ("postgresql://a:p@ss?w#rd/x@db.example/d", "postgresql://***@db.example/d"),
        ("postgresql:///d?host=/run&password=p", "postgresql:///d?***"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock"),
    ],
)
def test_a_url_is_shown_without_who_logs_in(url: str, shown: str) -> None:
    assert hide_user(url) == shown
