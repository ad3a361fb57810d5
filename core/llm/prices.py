"""What a model call costs: first the operator's own price rows, then the genai-prices package, else unknown.

Unknown is None and never 0, so that a sum of costs cannot look complete when it is not. Everything is integer
micro-units (a millionth of a US dollar); nothing is fetched from the network. Importing genai-prices takes
most of a second: `warm` does it in a thread at the start, and otherwise the first unknown model pays for
it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from core.messages import Cost, Usage

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """The price of a model from a day on (UTC), in micro-dollars per million tokens.

    `cached_input` is the price of the prompt's cached part; None: as `input`. `source` says which file it
    stands in.
    """

    model: str
    from_date: date
    input: int
    output: int
    cached_input: int | None = None
    source: str = "config/prices.toml"


class PriceBook:
    """The port `Prices`."""

    def __init__(self, rows: Iterable[PriceRow] = ()) -> None:
        self._rows: dict[str, list[PriceRow]] = {}
        for row in sorted(rows, key=lambda row: row.from_date, reverse=True):
            self._rows.setdefault(row.model.lower(), []).append(row)

    def cost(self, model: str, usage: Usage, at: datetime) -> Cost | None:
        """See `Prices`. `at` is aware UTC; names may carry a provider before a slash."""
        for name in names(model):
            if row := self._row(name, at):
                return Cost(micro=_by_row(row, usage), source=f"{row.source} {row.from_date.isoformat()}")
        return _by_package(model, usage, at)

    def warm(self) -> None:
        """Import what `cost` may need. Blocks for most of a second: meant for a thread."""
        import genai_prices  # noqa: F401

    def _row(self, name: str, at: datetime) -> PriceRow | None:
        return next((row for row in self._rows.get(name, ()) if row.from_date <= at.date()), None)


def names(model: str) -> tuple[str, ...]:
    """The names to look a model up by: as it is called, then without what stands before each slash."""
    parts = model.lower().split("/")
    return tuple("/".join(parts[start:]) for start in range(len(parts)))


def _by_row(row: PriceRow, usage: Usage) -> int:
    cached_price = row.input if row.cached_input is None else row.cached_input
    total = (
        (usage.prompt - usage.cached) * row.input
        + usage.cached * cached_price
        + usage.completion * row.output
    )
    return (total + MILLION // 2) // MILLION


def _by_package(model: str, usage: Usage, at: datetime) -> Cost | None:
    import genai_prices

    counted = genai_prices.Usage(
        input_tokens=usage.prompt, cache_read_tokens=usage.cached, output_tokens=usage.completion
    )
    for name in names(model):
        try:
            found = genai_prices.calc_price(counted, name, genai_request_timestamp=at)
        except (LookupError, ValueError):
            continue
        # An entry may lack prices and then counts as free: that is "unknown" too.
        micro = int((found.total_price * MILLION).quantize(Decimal(1), rounding=ROUND_HALF_UP))
        return (
            Cost(micro=micro, source=f"genai-prices {genai_prices.__version__}")
            if found.total_price
            else None
        )
    return None
