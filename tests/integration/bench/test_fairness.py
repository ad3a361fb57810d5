"""The bench of fairness once, in small: that both people are answered and all of it is told. No figure of it
counts."""

from pathlib import Path

import orjson

from bots.bench.fairness import Flood, bench_fairness

FLOODS = (Flood(name="two chats", groups=2), Flood(name="the same chat", groups=1, asks=False, joined=True))


async def test_both_are_answered_and_every_wait_is_told(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    report = await bench_fairness(database_url, redis_url, tmp_path, questions=1, messages=6, floods=FLOODS)
    assert [len(waits.waits) for waits in (report.alone, *report.floods)] == [1, 1, 1]
    assert all(0 <= wait.begun < wait.shown for waits in report.floods for wait in waits.waits)
    alone, *floods = (orjson.loads(orjson.dumps(report.as_json()))[name] for name in ("alone", "floods"))
    assert alone["behind"] == [0, 0]
    assert [flood["met"] for flood in floods[0]] == [False, None], "one question proves nothing"
    assert "the same chat" in report.as_text()
