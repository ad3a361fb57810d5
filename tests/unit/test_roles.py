"""The roles are the ones that may be set, and what `parley instances` says of one."""

from datetime import UTC, datetime

from bots.cli.instances import COLUMNS, row_of
from bots.roles import ROLES
from config.settings import Settings
from core.store.instances import Instance, Seen


def test_the_setting_and_the_roles_name_the_same() -> None:
    form = next(entry.form for entry in Settings.entries() if entry.path == "role")
    assert list(ROLES) == form["enum"]
    assert [name for name, role in ROLES.items() if role.receives] == ["all", "ingress"]
    assert [name for name, role in ROLES.items() if role.works] == ["all", "worker"]
    assert [name for name, role in ROLES.items() if not role.connects] == ["web"]


def test_a_row_has_every_column() -> None:
    one = Instance(
        name="host/boot-1/7-99",
        host="host",
        pid=7,
        role="ingress",
        version="1.0",
        revision="0002",
        started_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        draining=True,
        holds=2,
        receives=("slack", "telegram"),
    )
    row = row_of(Seen(instance=one, silent_seconds=1.26))
    assert row == {
        "name": "host/boot-1/7-99",
        "role": "ingress",
        "version": "1.0",
        "host": "host",
        "pid": 7,
        "started": "2026-11-22T12:00:00+00:00",
        "seen": 1.3,
        "draining": True,
        "conversations": 2,
        "receives": ["slack", "telegram"],
    }
    assert list(row) == list(COLUMNS)
