"""The final edit is made again, later and at the end, and whatever comes of it harms nobody."""

from typing import cast

import pytest

from core.afterwards import Afterwards
from core.errors import Ambiguous, ParleyError
from core.ports import CanEdit
from tests.unit.core.channels import ScriptedChannel
from tests.unit.core.samples import DIRECT

FINAL = ("edit r1", "the answer")


@pytest.mark.parametrize("first", [None, Ambiguous("no answer"), ParleyError("broken")])
async def test_the_edit_is_made_after_each_pause(first: Exception | None) -> None:
    channel, afterwards = ScriptedChannel(first), Afterwards((0.0, 0.0))
    afterwards.edit(cast(CanEdit, channel), DIRECT, "r1", "the answer")
    await channel.called(2)
    assert channel.calls == [FINAL, FINAL]


async def test_what_is_still_to_be_done_at_the_end_is_done_at_once() -> None:
    channel, afterwards = ScriptedChannel(), Afterwards((3600.0, 3600.0))
    afterwards.edit(cast(CanEdit, channel), DIRECT, "r1", "the answer")
    await afterwards.close()
    assert channel.calls == [FINAL]


async def test_an_end_without_anything_to_do_is_an_end() -> None:
    await Afterwards().close()
