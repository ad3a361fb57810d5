"""How long to wait before the next try at a platform that failed."""

import random


def backoff(failures: int, span: tuple[float, float]) -> float:
    """Seconds to wait after so many failures in a row: doubling, up to the most, half of it by chance."""
    least, most = span
    return min(most, least * 2.0 ** min(failures - 1, 16)) * random.uniform(0.5, 1.0)
