"""Whose talk it is and what stands above it, on a real system account and real streams."""

import asyncio
import os
import pwd
import sys
from pathlib import Path

import pytest

from bots.cli.chat import banner, greet, on_terminal

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("environment", [{}, {"HOME": "/nowhere", "USER": "mallory", "LOGNAME": "mallory"}])
async def test_the_person_is_the_account_of_the_system_whatever_the_environment_says(
    environment: dict[str, str],
) -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from bots.cli.chat import os_user; print(os_user())"),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    out, _ = await program.communicate()
    assert out.decode().strip() == pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize(("model", "warned"), [("scripted", True), ("gpt-5", False)])
def test_the_banner_says_what_it_is_and_how_to_get_on(model: str, warned: bool) -> None:
    text = banner(version="1.2.3", model=model).plain
    assert f"Parley 1.2.3 · model {model}" in text
    assert all(word in text for word in ("/help", "Ctrl-C", "Ctrl-D"))
    assert ("not a language model" in text) is warned


def test_without_a_terminal_there_is_no_banner(capfd: pytest.CaptureFixture[str]) -> None:
    greet(version="1.2.3", model="scripted")
    assert not on_terminal()
    assert capfd.readouterr() == ("", "")
