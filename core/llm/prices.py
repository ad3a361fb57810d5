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
    since: date
    input: int
    output: int
    cached_input: int | None = None
    source: str = "config/prices.toml"


class PriceBook:
    """The port `Prices`."""

    def __init__(self, rows: Iterable[PriceRow] = ()) -> None:
        self._package = Package()
        self._rows: dict[str, list[PriceRow]] = {}
        for row in sorted(rows, key=lambda row: row.since, reverse=True):
            self._rows.setdefault(row.model.lower(), []).append(row)

    def cost(self, model: str, usage: Usage, at: datetime) -> Cost | None:
        """See `Prices`. `at` is aware UTC; names may carry a provider before a slash."""
        for name in names(model):
            if row := self._row(name, at):
                return Cost(micro=by_row(row, usage), source=f"{row.source} {row.since.isoformat()}")
        return next((cost for name in names(model) if (cost := self._package.cost(name, usage, at))), None)

    def warm(self) -> None:
        """Import what `cost` may need. Blocks for most of a second: meant for a thread."""
        import genai_prices  # noqa: F401

    def _row(self, name: str, at: datetime) -> PriceRow | None:
        return next((row for row in self._rows.get(name, ()) if row.since <= at.date()), None)


class Package:
    """The list in genai-prices. A price that is the same for every call of this minute is kept as a row for
    as long, since the package takes 140 us to work out a call and a row takes 2."""

    def __init__(self) -> None:
        self._minute: datetime | None = None
        self._kept: dict[str, PriceRow] = {}

    def cost(self, name: str, usage: Usage, at: datetime) -> Cost | None:
        minute = at.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._kept = minute, {}
        if row := self._kept.get(name):
            return Cost(micro=by_row(row, usage), source=row.source)
        return self._ask(name, usage, at)

    def _ask(self, name: str, usage: Usage, at: datetime) -> Cost | None:
        import genai_prices

        counted = genai_prices.Usage(
            input_tokens=usage.prompt, cache_read_tokens=usage.cached, output_tokens=usage.completion
        )
        try:
            found = genai_prices.calc_price(counted, name, genai_request_timestamp=at)
        except (LookupError, ValueError):
            return None
        source = f"genai-prices {genai_prices.__version__}"
        if row := _flat(found.model_price, name, at, source):
            # An entry without prices would count as free: that is "unknown" too.
            if row.input == row.output == 0:
                return None
            self._kept[name] = row
        micro = (found.total_price * MILLION).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        return Cost(micro=int(micro), source=source)


def names(model: str) -> tuple[str, ...]:
    """The names to look a model up by: as it is called, then without what stands before each slash."""
    parts = model.lower().split("/")
    return tuple("/".join(parts[start:]) for start in range(len(parts)))


def by_row(row: PriceRow, usage: Usage) -> int:
    """Micro-dollars, halves rounded up."""
    cached_price = row.input if row.cached_input is None else row.cached_input
    fresh = (usage.prompt - usage.cached) * row.input
    total = fresh + usage.cached * cached_price + usage.completion * row.output
    return (total + MILLION // 2) // MILLION


def _flat(price: object, name: str, at: datetime, source: str) -> PriceRow | None:
    """The package's price as a row; None where it has tiers, or fractions of a micro-dollar."""
    amounts = [getattr(price, f"{kind}_mtok", None) for kind in ("input", "cache_read", "output")]
    if any(isinstance(amount, Decimal) and amount * MILLION % 1 for amount in amounts):
        return None
    if any(amount is not None and not isinstance(amount, Decimal) for amount in amounts):
        return None
    fresh, cached, output = (None if amount is None else int(amount * MILLION) for amount in amounts)
    return PriceRow(
        model=name, since=at.date(), input=fresh or 0, cached_input=cached, output=output or 0, source=source
    )
