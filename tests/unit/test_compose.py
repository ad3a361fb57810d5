"""The files for containers: no engine runs here, so what can be read in them is held to our promises.

The reader below knows only the YAML that our own file uses and refuses everything else.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
SERVICES = ("gateway", "migrate", "postgres", "redis")
Lines = list[tuple[int, str]]


def read(text: str) -> Any:
    """Mappings and lists by indentation; scalars plain, or in JSON form."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines()]
    return block([(indent, words) for indent, words in lines if words and not words.startswith("#")])


def block(lines: Lines) -> Any:
    depth = lines[0][0]
    if lines[0][1].startswith("- "):
        assert all(indent == depth and words.startswith("- ") for indent, words in lines)
        return [scalar(words[2:]) for _, words in lines]
    starts = [number for number, (indent, _) in enumerate(lines) if indent == depth]
    parts = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    pairs = [entry(part) for part in parts]
    assert len({name for name, _ in pairs}) == len(pairs), "a key stands twice"
    return dict(pairs)


def entry(lines: Lines) -> tuple[str, Any]:
    match = re.fullmatch(r"([\w.-]+):(?: (.+))?", lines[0][1])
    assert match, f"not in our subset of YAML: {lines[0][1]}"
    name, rest = match.groups()
    assert (rest is None) == (len(lines) > 1), f"{name} has a value and a block, or neither"
    return name, scalar(rest) if rest else block(lines[1:])


def scalar(words: str) -> Any:
    if words in ("true", "false") or words[0] in '"[{':
        return json.loads(words)
    assert re.fullmatch(r"[\w./:-]+", words), f"not in our subset of YAML: {words}"
    return words


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = read(COMPOSE.read_text())["services"]
    assert tuple(found) == SERVICES
    return found


def test_only_the_gateway_is_published_and_only_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"gateway": ["127.0.0.1:8080:8080"]}


def test_no_password_has_a_default() -> None:
    used = re.findall(r"\$\{(\w+)([^}]*)\}", COMPOSE.read_text())
    assert {name for name, _ in used} == {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert all(rest.startswith(":?") and len(rest) > 2 for _, rest in used)


def test_no_secret_is_written_down(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|SECRET|KEY|AUTH|_URL$", name):
                assert "${" in value


@pytest.mark.parametrize("name", ["gateway", "postgres", "redis"])
def test_what_stays_up_is_looked_after(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_shut_in(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["init"] is True
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "network_mode", "pid", "cap_add"}


def test_the_schema_is_there_before_the_gateway(services: dict[str, Any]) -> None:
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    assert waits["migrate"] == {"postgres": "service_healthy"}
    assert waits["gateway"] == {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "redis": "service_healthy",
    }
    assert services["migrate"]["command"] == ["db", "upgrade"]
    assert services["migrate"]["restart"] == "no"
    assert services["gateway"]["image"] == services["migrate"]["image"]


def test_the_stores_keep_their_data_and_have_no_way_out(services: dict[str, Any]) -> None:
    whole = read(COMPOSE.read_text())
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert services["redis"]["volumes"] == ["redis:/data"]
    assert set(whole["volumes"]) == {"postgres", "redis"}
    assert whole["networks"]["stores"] == {"internal": True}
    for name in ("migrate", "postgres", "redis"):
        assert services[name]["networks"] == ["stores"]


def test_redis_is_bounded_and_never_evicts_what_does_not_expire(services: dict[str, Any]) -> None:
    words = services["redis"]["command"]
    given = dict(zip(words[1::2], words[2::2], strict=True))
    assert given["--appendonly"] == "yes"
    assert given["--appendfsync"] == "everysec"
    assert given["--maxmemory"] == "512mb"
    assert given["--maxmemory-policy"].startswith("volatile-")
    assert given["--requirepass"].startswith("${REDIS_PASSWORD:?")


def test_a_stopping_gateway_has_time_to_finish(services: dict[str, Any]) -> None:
    assert int(services["gateway"]["stop_grace_period"].removesuffix("s")) > 25


def instructions(text: str) -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def test_the_image_runs_the_gateway_as_nobody_special() -> None:
    steps = instructions(DOCKERFILE.read_text())
    last = steps[max(number for number, (word, _) in enumerate(steps) if word == "FROM") :]
    (user,) = [rest for word, rest in last if word == "USER"]
    assert int(user.split(":")[0]) >= 10_000
    told = {word: rest for word, rest in last if word in ("ENTRYPOINT", "CMD", "HEALTHCHECK")}
    assert json.loads(told["ENTRYPOINT"]) == ["python", "-m", "bots"]
    assert json.loads(told["CMD"]) == ["run"]
    assert "/healthz" in told["HEALTHCHECK"]


def test_the_image_has_the_lock_and_not_the_embedded_servers() -> None:
    steps = instructions(DOCKERFILE.read_text())
    syncs = [rest for word, rest in steps if word == "RUN" and "uv sync" in rest]
    assert syncs
    assert all("--frozen" in rest and "--no-dev" in rest and "--extra" not in rest for rest in syncs)
    assert any(re.search(r"uv==\d+\.\d+\.\d+", rest) for word, rest in steps if word == "RUN")


def test_only_named_folders_reach_the_image() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        name
        for word, rest in instructions(DOCKERFILE.read_text())
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
