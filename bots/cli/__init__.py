"""`parley ...`: the operator's and the newcomer's door, one file per noun. Nothing heavy is imported
before a verb asks for it."""

import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bots.cli import channels, db, fence, turns
from bots.cli import config as config_verbs

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A chat-bot gateway: Discord, Telegram and Slack in, one good answer back.",
)
app.add_typer(config_verbs.app, name="config", help="See the settings and where they come from.")
app.add_typer(channels.app, name="channels", help="Connect a platform.")
app.add_typer(db.app, name="db", help="The database's schema.")
app.add_typer(turns.app, name="turns", help="What became of questions: dead letters, and asking again.")
app.add_typer(fence.app, name="fence", help="Whether the database may be a restored backup, and going on.")
simulators = typer.Typer(no_args_is_help=True, help="Run a stand-in for a platform or a model, alone.")
app.add_typer(simulators, name="simulate")

tortures = typer.Typer(invoke_without_command=True)
app.add_typer(tortures, name="torture")

benches = typer.Typer(no_args_is_help=True, help="Measure what this gateway costs here.")
app.add_typer(benches, name="bench")

Port = Annotated[int, typer.Option(help="Port on the loopback address; 0 takes a free one.")]
Rounds = Annotated[int, typer.Option(min=1, help="Interleaved rounds; the median counts.")]
Lanes = Annotated[int, typer.Option(min=1, max=64, help="Conversations at once.")]
Seconds = Annotated[float, typer.Option(min=0.01, help="For one contender in one round.")]
PLANNED = ("minutes", "rate", "messages", "users", "instances", "redeliver", "channels", "lease")
"""What a torture that kills at every point draws up itself."""
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command()
def chat() -> None:
    """Talk with the bot in this terminal, or line by line through a pipe."""
    from bots.cli.talk import talk

    _run(talk())


@app.command()
def demo(
    check: Annotated[bool, typer.Option("--check", help="No page: ask on each platform and count.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --check, for programs.")] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port of the page; a free one is found.")
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds --check waits for an answer.")] = 20.0,
) -> None:
    """Three simulated apps, one gateway, one page: see a turn from all sides, offline."""
    if as_json and not check:
        raise typer.BadParameter("--json goes with --check")
    from bots.cli.demo import demonstrate, prove

    _run(prove(as_json=as_json, seconds=patience) if check else demonstrate(port))


@app.command()
def run(
    port: Annotated[int | None, typer.Option(help="Port of the web server.")] = None,
    role: Annotated[str | None, typer.Option(help="all, ingress, worker or web.")] = None,
) -> None:
    """Start every channel that has credentials, until SIGTERM or Ctrl-C."""
    from bots.cli.serve import serve_channels

    _run(serve_channels(port, role))


@app.command()
def instances(
    as_json: Annotated[bool, typer.Option("--json", help="For programs instead of people.")] = False,
) -> None:
    """List the gateways that share this database."""
    from bots.cli.instances import show

    _run(show(as_json=as_json))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs instead of people.")] = False,
) -> None:
    """Say what is wrong, and how to mend it."""
    from bots.cli.checkup import checkup

    _run(checkup(as_json=as_json))


@app.command()
def version() -> None:
    """Print the version."""
    from bots.app import released

    print(released())


@app.command(context_settings=PASS_ON)
def test(context: typer.Context) -> None:
    """Run the tests; what follows goes to pytest."""
    from bots.cli import develop

    sys.exit(develop.test(context.args))


@app.command()
def check() -> None:
    """Lint, format, types and arrows."""
    from bots.cli import develop

    sys.exit(develop.check())


@tortures.callback()
def torture(
    context: typer.Context,
    minutes: Annotated[float, typer.Option(min=0, help="All kinds of faults for so long.")] = 0,
    rate: Annotated[float | None, typer.Option(min=0.1, help="With --minutes: messages a second.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Instead: die at every point there is.")] = False,
    messages: Annotated[int | None, typer.Option(min=1, help="How many messages are said.")] = None,
    users: Annotated[int | None, typer.Option(min=1, help="By how many users.")] = None,
    instances: Annotated[int | None, typer.Option(min=1, help="Gateway processes.")] = None,
    kills: Annotated[int | None, typer.Option(min=0, help="How many; with --full at each point: 20.")] = None,
    redeliver: Annotated[float, typer.Option(min=0, max=100, help="Percent of events delivered twice.")] = 0,
    channels: Annotated[str, typer.Option(help="Where: telegram,discord,slack. Empty: all.")] = "",
    seed: Annotated[int, typer.Option(help="What chance is drawn from.")] = 1,
    lease: Annotated[float, typer.Option(min=1, help="Seconds a silent instance keeps its work.")] = 2,
    home: Annotated[Path | None, typer.Option(help="Keep logs and data in this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs instead of people.")] = False,
) -> None:
    """Prove that nothing is lost or answered twice: load, kills, and a checker."""
    if context.invoked_subcommand is not None:
        return
    from bots.cli.torture import kill_everywhere
    from bots.cli.torture import torture as prove
    from bots.torture.plan import Plan, storming
    from bots.torture.platforms import UnknownChannel, choose

    _forbid_together(context, ("minutes", "kills"), ("rate", "messages"))
    _forbid_together(context, *(("full", name) for name in PLANNED))
    if full:
        _run(kill_everywhere(20 if kills is None else kills, seed, as_json=as_json, home=home))
    if rate and not minutes:
        raise typer.BadParameter("--rate goes with --minutes: without, --messages says how many")
    try:
        chosen = choose(channels)
    except UnknownChannel as error:
        raise typer.BadParameter(str(error)) from error
    usual = storming(minutes, *([rate] if rate else [])) if minutes else {}
    given = {"messages": messages, "users": users, "instances": instances, "kills": kills}
    size = usual | {name: value for name, value in given.items() if value is not None}
    plan = Plan(channels=chosen, redeliver=redeliver, seed=seed, lease=lease, minutes=minutes, **size)
    _run(prove(plan, as_json=as_json, home=home))


def _forbid_together(context: typer.Context, *pairs: tuple[str, str]) -> None:
    """Raises `typer.BadParameter` where both options of a pair were typed."""
    for pair in pairs:
        sources = [context.get_parameter_source(name) for name in pair]
        if all(source is not None and source.name == "COMMANDLINE" for source in sources):
            raise typer.BadParameter(f"--{pair[0]} and --{pair[1]} exclude each other")


@tortures.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.5, help="How long.")] = 45,
    rate: Annotated[float, typer.Option(min=0.1, help="Messages a second.")] = 40,
    users: Annotated[int, typer.Option(min=1, help="How many people say them.")] = 500,
    instances: Annotated[int, typer.Option(min=1, help="Gateway processes.")] = 2,
    seed: Annotated[int, typer.Option(help="What chance is drawn from.")] = 1,
    home: Annotated[Path | None, typer.Option(help="Keep logs and data in this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs instead of people.")] = False,
) -> None:
    """Prove that nothing grows: steady load, mild faults, and a look at memory, descriptors, tasks, rows."""
    from bots.cli.torture import soak as for_long
    from bots.torture.soak import Soaking

    soaking = Soaking(minutes=minutes, rate=rate, users=users, instances=instances, seed=seed)
    _run(for_long(soaking, as_json=as_json, home=home))


@simulators.command("telegram")
def simulate_telegram(port: Port = 8081) -> None:
    """Telegram's Bot API."""
    from bots.cli.simulate import simulate_telegram as simulate

    _run(simulate(port))


@simulators.command("discord")
def simulate_discord(port: Port = 8083) -> None:
    """Discord's REST API and gateway."""
    from bots.cli.simulate import simulate_discord as simulate

    _run(simulate(port))


@simulators.command("slack")
def simulate_slack(
    port: Port = 8084,
    request_url: Annotated[
        str, typer.Option(help="Post events here, signed, instead of using Socket Mode.")
    ] = "",
) -> None:
    """Slack's Web API, Socket Mode and HTTP events."""
    from bots.cli.simulate import simulate_slack as simulate

    _run(simulate(port, request_url))


@simulators.command("model")
def simulate_model(port: Port = 8082) -> None:
    """An OpenAI-compatible model."""
    from bots.cli.simulate import simulate_model as simulate

    _run(simulate(port))


@benches.command("turn")
def bench_turn(
    rounds: Rounds = 5,
    concurrency: Lanes = 32,
    seconds: Seconds = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="For programs instead of people.")] = False,
) -> None:
    """A durable turn beside the usual way and the raw floor, on private servers of its own."""
    from bots.cli.bench import turn

    _run(turn(rounds=rounds, concurrency=concurrency, seconds=seconds, as_json=as_json))


@benches.command("fairness")
def bench_fairness(
    questions: Annotated[int, typer.Option(min=10, max=200, help="Asked alone, and behind each flood.")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="For programs instead of people.")] = False,
) -> None:
    """What one person waits while a thousand messages of another are to be answered: at most three times as
    long as alone."""
    from bots.cli.bench import fairness

    _run(fairness(questions=questions, as_json=as_json))


def _run(verb: Any) -> None:
    """Run a verb on the quickest loop there is; its result is the exit code. What the house knows to be
    wrong is one line, without a traceback."""
    from bots.cli.loop import run_verb

    sys.exit(run_verb(verb))


def main() -> None:
    gc.disable()  # until a verb runs: imports leave no garbage, and looking for it takes a tenth of the start
    try:
        app(prog_name="parley")
    except BrokenPipeError:
        # Nobody reads on; the interpreter must not complain about it at its end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
