"""`parley bench ...`: what a turn costs here, beside the usual way and the raw floor; and what one person
waits behind another's flood."""

import io
import sys
import tempfile
from pathlib import Path
from typing import TextIO, cast

import orjson

from bots.bench.fairness import bench_fairness
from bots.bench.turn import bench_turn
from config import logs
from config.groups import Log
from core.embedded import embedded_pair


class Nowhere(io.TextIOBase):
    """Every log line is made, redacted and rendered as in production; only nobody reads it."""

    def write(self, line: str) -> int:
        return len(line)


async def turn(*, rounds: int, concurrency: int, seconds: float, as_json: bool) -> int:
    """On a private pair of its own, flushed to disk as in production. 0 when all that is wanted is met."""
    logs.set_up(Log(level="info", format="json"), (), cast(TextIO, Nowhere()))
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
        async with embedded_pair(Path(home), say=_say) as pair:
            assert pair.database_url is not None
            assert pair.redis_url is not None
            report = await bench_turn(
                pair.database_url,
                pair.redis_url,
                rounds=rounds,
                concurrency=concurrency,
                seconds=seconds,
                say=_say,
            )
    print(orjson.dumps(report.as_json()).decode() if as_json else report.as_text())
    return 0 if report.met else 1


async def fairness(*, questions: int, as_json: bool) -> int:
    """On a private pair of its own. 0 when nobody waited too long for somebody else."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
        async with embedded_pair(Path(home), say=_say) as pair:
            assert pair.database_url is not None
            assert pair.redis_url is not None
            report = await bench_fairness(
                pair.database_url, pair.redis_url, Path(home), questions=questions, say=_say
            )
    print(orjson.dumps(report.as_json()).decode() if as_json else report.as_text())
    return 0 if report.met else 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
