"""A soak is judged by what grows: each thing that may not is planted, and found by its name."""

import pytest

from bots.torture.samples import FEWEST, Process, Sample, Soaked

QUIET = {"inbox": 0, "outbox": 0}


def sample(at: int, **more: object) -> Sample:
    process = Process(rss_mb=90.0 + at % 2, fds=40 + at % 3, tasks=60 - at % 3)
    values = {
        "at": float(at),
        "done": at * 100,
        "processes": {"i1": process},
        "dead": {"inbox": 200 * (at % 5)},
        "queues": {"inbox": at % 4},
        "claim_ms": 1.0,
    }
    return Sample(**values | more)  # type: ignore[arg-type]


def soaked(samples: list[Sample], **more: object) -> Soaked:
    idle = (samples[0].processes, samples[-1].processes) if samples else ({}, {})
    values = {"done": 4000, "left": QUIET, "exits": (0,), "samples": samples, "idle": idle}
    return Soaked(said=4000, seconds=40.0, faults={}, **values | more)  # type: ignore[arg-type]


def steady() -> list[Sample]:
    return [sample(at) for at in range(40)]


def missed(soak: Soaked) -> list[str]:
    return [figure.name for figure in soak.judged() if not figure.held]


def process(at: int, *, rss_mb: float = 0.0, fds: float = 0.0, tasks: float = 0.0) -> dict[str, Process]:
    """So much more of it with every sample."""
    return {"i1": Process(rss_mb=90 + rss_mb * at, fds=int(40 + fds * at), tasks=int(60 + tasks * at))}


@pytest.mark.parametrize(
    ("what", "name"),
    [("rss_mb", "i1 RSS MB per 10k"), ("fds", "i1 descriptors more"), ("tasks", "i1 tasks more")],
)
def test_what_grows_is_named(what: str, name: str) -> None:
    leaks = soaked([sample(at, processes=process(at, **{what: 0.5})) for at in range(40)])
    assert missed(leaks) == [name]
    assert not leaks.held
    assert "<- not held" in leaks.as_table()


def test_a_megabyte_is_allowed_for_every_ten_thousand_messages() -> None:
    slow = [
        sample(at, done=at * 1000, processes={"i1": Process(rss_mb=90 + at / 11, fds=9, tasks=9)})
        for at in range(40)
    ]
    assert missed(soaked(slow)) == []


def test_what_happens_while_it_warms_up_does_not_count() -> None:
    cold = [sample(at, processes={"i1": Process(rss_mb=10.0 * at, fds=at, tasks=at)}) for at in range(10)]
    warm = steady()[10:]
    assert missed(soaked([*cold, *warm], idle=(warm[0].processes, warm[-1].processes))) == []


def test_dead_rows_that_the_vacuum_does_not_keep_up_with_are_found() -> None:
    piling = [sample(at, dead={"inbox": 2000 * at}) for at in range(40)]
    assert missed(soaked(piling)) == ["inbox dead rows"]
    swept = [sample(at, dead={"inbox": 5000 * (at % 8)}) for at in range(40)]
    assert missed(soaked(swept)) == []


def test_what_is_left_at_the_end_is_found() -> None:
    assert missed(soaked(steady(), left={"inbox": 1, "outbox": 0})) == ["inbox at the end"]
    assert missed(soaked(steady(), done=3999)) == ["not done"]
    assert missed(soaked(steady(), exits=(0, -9))) == ["exit code"]


def test_too_few_samples_prove_nothing() -> None:
    assert not soaked(steady()[: FEWEST - 1]).held
    assert not soaked([]).held
    assert soaked([]).as_json()["samples"] == 0
