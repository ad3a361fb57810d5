"""The whole bench once, in small: that every contender does its work and every ratio is told. No figure of
it counts."""

import orjson

from bots.bench.turn import RATIOS, bench_turn
from core.embedded import Pair


async def test_every_contender_runs_and_every_ratio_is_told(pair: Pair) -> None:
    assert pair.database_url is not None
    assert pair.redis_url is not None
    report = await bench_turn(pair.database_url, pair.redis_url, rounds=1, concurrency=1, seconds=0.01)

    assert all(taken.turns > 0 for samples in report.samples.values() for taken in samples)
    told = orjson.loads(orjson.dumps(report.as_json()))["rows"]
    names = {row["what"] for row in told}
    assert names >= {ratio.what for ratio in RATIOS if ratio.figure != "postgres"}
    wanted = [row for row in told if row["wanted"] is not None]
    assert len(wanted) == 2
    assert all(isinstance(row["met"], bool) and row["ratio"] > 0 for row in wanted)
    assert "ours, no model" in report.as_text()
