"""The metrics: each under its name, in the registry it was built over and nowhere else."""

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from core.observe import Metrics

LABELS = {
    "parley_messages_accepted": ("channel", "fresh"),
    "parley_turns_ended": ("channel", "end"),
    "parley_turn_seconds": ("step",),
    "parley_turns_running": (),
    "parley_leases_held": (),
    "parley_leases_lost": (),
    "parley_model_calls": ("model", "state"),
    "parley_model_tokens": ("model", "kind"),
    "parley_model_cost_micro": ("model",),
    "parley_model_seconds": ("model",),
    "parley_sends": ("channel", "op", "result"),
    "parley_previews_dropped": ("channel",),
    "parley_commit_rows": (),
    "parley_commit_seconds": (),
    "parley_commit_queue": (),
    "parley_commit_retries": ("reason",),
    "parley_cache_degraded": (),
    "parley_rate_limited": ("kind",),
    "parley_channel_up": ("channel", "account"),
    "parley_channel_restarts": ("channel",),
    "parley_db_pool": ("state",),
    "parley_messages_changed": ("channel", "change", "in_time"),
    "parley_messages_fetched": ("channel",),
    "parley_message_wait_seconds": (),
    "parley_turns_resumed": ("channel",),
    "parley_turns_given_up": ("channel",),
    "parley_turns_overdue": ("channel", "why"),
    "parley_turns_parked": ("channel",),
    "parley_turn_messages": (),
    "parley_fenced": (),
    "parley_clock_skew_seconds": (),
    "parley_disk_free_bytes": (),
    "parley_tasks": (),
    "parley_info": ("version", "role"),
}


def test_every_metric_has_its_name_its_labels_and_a_help_text() -> None:
    metrics = Metrics(CollectorRegistry())
    found = {
        metric._name: metric._labelnames
        for metric in vars(metrics).values()
        if isinstance(metric, Counter | Gauge | Histogram)
    }
    assert found == LABELS
    assert all(family.documentation for family in metrics.registry.collect())


def test_what_is_counted_is_shown_in_the_text_form() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.turns_ended.labels(channel="telegram", end="answered").inc()
    metrics.turn_seconds.labels(step="begin").observe(0.02)
    metrics.commit_rows.observe(3)
    text = generate_latest(metrics.registry).decode()
    assert 'parley_turns_ended_total{channel="telegram",end="answered"} 1.0' in text
    assert 'parley_turn_seconds_count{step="begin"} 1.0' in text
    assert 'parley_commit_rows_bucket{le="2.0"} 0.0' in text
    assert 'parley_commit_rows_bucket{le="4.0"} 1.0' in text


def test_two_gateways_in_one_process_count_apart() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.leases_lost.inc()
    assert first.registry.get_sample_value("parley_leases_lost_total") == 1
    assert second.registry.get_sample_value("parley_leases_lost_total") == 0
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("parley_")]


def test_one_registry_takes_one_set() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(registry)


def test_the_alert_rules_ask_only_for_metrics_that_exist() -> None:
    families = {family.name for family in Metrics(CollectorRegistry()).registry.collect()}
    known = families | {
        f"{name}{end}" for name in families for end in ("_total", "_bucket", "_count", "_sum")
    }
    rules = Path(__file__).parents[2] / "config" / "prometheus" / "alerts.yml"
    asked = set(re.findall(r"\bparley_\w+", rules.read_text()))
    assert asked
    assert asked <= known
