"""I6, I7, I10: what the vendor bills is what the ledger says, what the reservations covered, and what a row
spoke of before the call was made."""

from collections.abc import Iterator

from bots.torture.checks.finding import Finding
from bots.torture.checks.index import Index
from bots.torture.evidence import Charge
from bots.torture.remains import LedgerRow


def check_bill(index: Index) -> Iterator[Finding]:
    yield from _billed(index)
    yield from _covered(index)
    yield from _rolled_up(index)


def _billed(index: Index) -> Iterator[Finding]:
    """Complete calls cost what the vendor says; calls that were cut short, or whose instance died, are booked
    by estimate. A call that is neither had no row."""
    bill = {charge.id: charge for charge in index.evidence.bill}
    ledger = index.evidence.ledger
    settled = [row for row in ledger if row.state == "settled"]
    for row in settled:
        yield from _settled(row, bill.pop(row.request, None))
    left = sum(charge.prompt + charge.completion > 0 for charge in bill.values())
    others = len(ledger) - len(settled)
    if left > others:
        line = f"{left} calls are billed and not settled, {others} are booked otherwise"
        yield Finding(kind="ledger", invariant="I6", line=line)
    if len(index.evidence.bill) > len(ledger):
        line = f"{len(index.evidence.bill)} calls were made, {len(ledger)} were written down"
        yield Finding(kind="unwritten", invariant="I10", line=line)


def _settled(row: LedgerRow, charge: Charge | None) -> Iterator[Finding]:
    if charge is None or (charge.prompt, charge.completion) != (row.prompt, row.completion):
        line = f"{row.request or 'a call'}: {row.prompt}+{row.completion} tokens are booked, not billed"
        yield Finding(kind="ledger", invariant="I6", line=line)
    elif row.estimated:
        yield Finding(kind="ledger", invariant="I6", line=f"{row.request}: the vendor's count was not used")


def _covered(index: Index) -> Iterator[Finding]:
    for row in index.evidence.ledger:
        used, most = (row.prompt, row.completion), (row.reserved_prompt, row.reserved_completion)
        if row.state != "reserved" and (used[0] > most[0] or used[1] > most[1]):
            line = f"{row.request or 'a call'} used {used} tokens, reserved were {most}"
            yield Finding(kind="budget", invariant="I7", line=line)


def _rolled_up(index: Index) -> Iterator[Finding]:
    """What an analyst reads is the sum of what was booked."""
    rollup = index.evidence.rollup
    if rollup is None:
        return
    booked = [row for row in index.evidence.ledger if row.state != "reserved"]
    sums = len(booked), sum(row.prompt for row in booked), sum(row.completion for row in booked)
    if sums != (told := (rollup.calls, rollup.prompt, rollup.completion)):
        line = f"the hours say {told} calls and tokens, the ledger {sums}"
        yield Finding(kind="ledger", invariant="I6", line=line)
