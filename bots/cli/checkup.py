"""`parley doctor`: looks at the stores and the model itself, and asks a running gateway for its channels."""

import sys

from bots import neighbours
from bots.cli.doctor import doctor
from bots.stores import addresses, model_probe, open_engine_of, store_probes
from config.settings import load
from core.state.redis_state import Terms, open_state


async def checkup(*, as_json: bool) -> int:
    settings = load()
    async with (
        addresses(settings, lambda line: print(line, file=sys.stderr)) as where,
        open_engine_of(settings, where.database_url) as engine,
        open_state(where.redis_url, Terms(timeout=settings.redis.timeout_seconds)) as state,
    ):
        probes = {
            **store_probes(settings, engine, state),
            "model": model_probe(settings, ask=True),
            "gateway": neighbours.running(f"http://{settings.web.host}:{settings.web.first_port}"),
        }
        text, code = await doctor(probes, as_json=as_json)
    print(text)
    return code
