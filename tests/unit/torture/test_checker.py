"""The checker is itself put to the test: a sound trial passes, and each planted fault is caught by name."""

from dataclasses import replace

import pytest

from bots.torture.checker import PLACEHOLDER, Kind, check
from bots.torture.crowd import answer
from bots.torture.evidence import Charge, Evidence, InboxRow, LedgerRow, PartRow, Said, Shown, TurnState
from core.delivery import UNSURE

ANN, BEN, GROUP = "7", "8", "-100"
HERE = "telegram"


def said(number: int, user: str, chat: str, thread: str = "") -> Said:
    return Said(
        number=number, channel=HERE, user=user, chat=chat, thread=thread, message_id=str(100 + number),
        begun=number, taken=number,
    )  # fmt: skip


def row(number: int, user: str, chat: str, turn: str, thread: str = "") -> InboxRow:
    text = f"m{number} is what I ask"
    return InboxRow(text=text, channel=HERE, user=user, chat=chat, thread=thread, seq=number, turn=turn)


def shown(id: str, chat: str, *numbers: int, thread: str = "", reply_to: str | None = None) -> Shown:
    text = answer(numbers, 5)
    return Shown(channel=HERE, chat=chat, thread=thread, id=id, text=text, reply_to=reply_to)


def part(turn: str, chat: str, receipt: str, op: str = "edit") -> PartRow:
    return PartRow(turn=turn, channel=HERE, chat=chat, op=op, receipt=receipt)


def sound() -> Evidence:
    """Ann says two in private and gets two answers; Ben two that are merged; both one in a topic."""
    return Evidence(
        said=[
            *(said(1, ANN, ANN), said(2, ANN, ANN), said(3, BEN, BEN), said(4, BEN, BEN)),
            *(said(5, ANN, GROUP, "9"), said(6, BEN, GROUP, "9")),
        ],
        shown=[
            *(shown("201", ANN, 1), shown("202", ANN, 2), shown("203", BEN, 3, 4)),
            shown("204", GROUP, 5, thread="9", reply_to="105"),
            shown("205", GROUP, 6, thread="9", reply_to="106"),
        ],
        prompts=[frozenset({1}), frozenset({1, 2}), frozenset({3, 4}), frozenset({5}), frozenset({5, 6})],
        bill=[Charge(id=f"c{n}", prompt=10 + n, completion=5) for n in range(1, 6)],
        inbox=[
            *(row(1, ANN, ANN, "t1"), row(2, ANN, ANN, "t2"), row(3, BEN, BEN, "t3"), row(4, BEN, BEN, "t3")),
            *(row(5, ANN, GROUP, "t4", "9"), row(6, BEN, GROUP, "t5", "9")),
        ],
        turns=[TurnState(id=f"t{n}") for n in range(1, 6)],
        parts=[
            *(part("t1", ANN, "201"), part("t2", ANN, "202"), part("t3", BEN, "203")),
            *(part("t4", GROUP, "204"), part("t5", GROUP, "205")),
        ],
        ledger=[LedgerRow(request=f"c{n}", prompt=10 + n, completion=5) for n in range(1, 6)],
        exits=(0, 0),
    )


def ended(evidence: Evidence, number: int, outcome: str) -> Evidence:
    """The same, but one message ended otherwise and its answer was never shown."""
    inbox = [replace(one, outcome=outcome) if one.seq == number else one for one in evidence.inbox]
    seen = [one for one in evidence.shown if f"m{number}." not in one.text]
    return replace(evidence, inbox=inbox, shown=seen)


def told(evidence: Evidence, turn: str, chat: str, line: str, op: str = "send") -> Evidence:
    """The same, with a line that the outbox knows."""
    more = Shown(channel=HERE, chat=chat, thread="", id="299", text=line)
    return replace(
        evidence, shown=[*evidence.shown, more], parts=[*evidence.parts, part(turn, chat, "299", op)]
    )


def kinds(evidence: Evidence) -> set[Kind]:
    return {finding.kind for finding in check(evidence).findings}


def test_a_sound_trial_passes() -> None:
    verdict = check(sound())
    assert verdict.findings == ()
    assert (verdict.accepted, verdict.ends, verdict.strays) == (6, {"answered": 6}, 0)


def test_a_message_that_was_never_accepted_is_lost() -> None:
    assert kinds(replace(sound(), inbox=sound().inbox[1:])) == {"lost"}


def test_a_message_that_nobody_finished_is_lost() -> None:
    first, *rest = sound().inbox
    waiting = replace(first, state="waiting", outcome=None)
    assert kinds(replace(sound(), inbox=[waiting, *rest], shown=sound().shown[1:])) == {"lost"}


def test_an_answer_that_nobody_saw_is_lost() -> None:
    assert kinds(replace(sound(), shown=sound().shown[1:])) == {"lost"}


def test_the_same_answer_twice_is_a_duplicate() -> None:
    twice = [*sound().shown, shown("206", BEN, 3, 4)]
    assert [finding.kind for finding in check(replace(sound(), shown=twice)).findings] == ["duplicate"] * 2


def test_an_answer_to_one_of_two_merged_messages_again_is_a_duplicate() -> None:
    assert kinds(replace(sound(), shown=[*sound().shown, shown("206", BEN, 4)])) == {"duplicate"}


def test_a_message_accepted_twice_is_a_duplicate() -> None:
    assert kinds(replace(sound(), inbox=[*sound().inbox, sound().inbox[0]])) == {"duplicate"}


def test_answers_in_the_other_order_are_a_swap() -> None:
    first, second, *rest = sound().shown
    assert kinds(replace(sound(), shown=[second, first, *rest])) == {"swap"}


def test_acceptance_in_another_order_than_said_is_a_swap() -> None:
    first, second, *rest = sound().inbox
    inbox = [replace(first, seq=2), replace(second, seq=1), *rest]
    assert "swap" in kinds(replace(sound(), inbox=inbox))


def test_where_a_platform_keeps_no_order_only_what_was_taken_before_is_bound() -> None:
    first, second, *rest = sound().inbox
    one, two, *others = sound().said
    inbox = [replace(first, seq=2), replace(second, seq=1), *rest]
    overtaken = [replace(one, begun=1.0, taken=3.0), replace(two, begun=2.0, taken=2.5), *others]
    early, late, *more = sound().shown
    shown = [late, early, *more]  # answered as it was accepted
    assert kinds(replace(sound(), said=overtaken, inbox=inbox, shown=shown)) == set()
    taken = [replace(one, begun=1.0, taken=2.0), replace(two, begun=2.0, taken=2.5), *others]
    assert kinds(replace(sound(), said=taken, inbox=inbox, shown=shown)) == {"swap"}


def test_the_same_ids_on_another_channel_are_another_place() -> None:
    *rest, last = sound().shown
    assert "foreign" in kinds(replace(sound(), shown=[*rest, replace(last, channel="slack")]))
    first, *others = sound().inbox
    assert kinds(replace(sound(), inbox=[replace(first, channel="slack"), *others])) == {"foreign"}


def test_each_channel_has_its_share() -> None:
    both = replace(
        sound(),
        said=[replace(one, channel="slack") if one.chat == GROUP else one for one in sound().said],
        inbox=[replace(one, channel="slack") if one.chat == GROUP else one for one in sound().inbox],
        shown=[replace(one, channel="slack") if one.chat == GROUP else one for one in sound().shown[:-1]],
        parts=[replace(one, channel="slack") if one.chat == GROUP else one for one in sound().parts],
    )
    verdict = check(both)
    shares = {name: (share.said, share.accepted, share.ends) for name, share in verdict.channels.items()}
    assert shares == {HERE: (4, 4, {"answered": 4}), "slack": (2, 2, {"answered": 2})}
    assert [verdict.count("lost", name) for name in (HERE, "slack", None)] == [0, 1, 1]


def test_an_answer_in_another_chat_is_foreign() -> None:
    first, *rest = sound().shown
    assert kinds(replace(sound(), shown=[replace(first, chat=BEN), *rest])) == {"foreign"}


def test_an_answer_in_another_topic_is_foreign() -> None:
    *rest, last = sound().shown
    assert kinds(replace(sound(), shown=[*rest, replace(last, thread="")])) == {"foreign"}


def test_an_answer_under_another_users_question_is_foreign() -> None:
    *rest, last = sound().shown
    assert kinds(replace(sound(), shown=[*rest, replace(last, reply_to="105")])) == {"foreign"}


def test_a_prompt_with_another_chats_messages_is_foreign() -> None:
    assert kinds(replace(sound(), prompts=[*sound().prompts, frozenset({2, 3})])) == {"foreign"}


def test_a_message_accepted_as_somebody_elses_is_foreign() -> None:
    *rest, last = sound().inbox
    assert kinds(replace(sound(), inbox=[*rest, replace(last, user=ANN)])) == {"foreign"}


def test_a_preview_left_as_the_final_is_half_an_answer() -> None:
    first, *rest = sound().shown
    half = replace(first, text=first.text[:-8])
    assert kinds(replace(sound(), shown=[half, *rest])) == {"half", "lost"}


def test_a_preview_left_beside_the_answer_is_half_an_answer() -> None:
    half = Shown(channel=HERE, chat=ANN, thread="", id="206", text="Answer to m1. word")
    assert kinds(replace(sound(), shown=[*sound().shown, half])) == {"half"}


def test_a_line_that_nobody_recorded_is_a_duplicate() -> None:
    line = Shown(channel=HERE, chat=ANN, thread="", id="206", text="Sorry.")
    assert kinds(replace(sound(), shown=[*sound().shown, line])) == {"duplicate"}


def test_one_stray_placeholder_on_each_channel_is_allowed_for_each_kill() -> None:
    stray = Shown(channel=HERE, chat=ANN, thread="", id="206", text=PLACEHOLDER)
    left = replace(sound(), shown=[*sound().shown, stray])
    assert kinds(left) == {"stray"}
    assert kinds(replace(left, kills=1)) == set()
    assert check(left).strays == 1
    other = replace(stray, channel="slack")
    assert kinds(replace(left, shown=[*left.shown, other], kills=1)) == set()
    assert kinds(replace(left, shown=[*left.shown, stray, other], kills=1)) == {"stray"}


def test_an_apology_covers_a_message_when_it_is_seen_once() -> None:
    silent = ended(sound(), 2, "apologised")
    assert kinds(silent) == {"silence"}
    apologised = told(silent, "t2", ANN, "Sorry.")
    assert kinds(apologised) == set()
    assert check(apologised).ends == {"answered": 5, "apologised": 1}
    assert kinds(replace(apologised, shown=[*apologised.shown, shown("207", ANN, 2)])) == {"duplicate"}


def test_one_refusal_covers_what_the_same_person_says_after_it() -> None:
    refused = ended(ended(sound(), 1, "refused"), 2, "refused")
    assert kinds(refused) == {"silence"}
    assert kinds(told(refused, "t1", ANN, "Too fast.")) == set()
    assert kinds(told(refused, "t3", BEN, "Too fast.")) == {"silence"}


def test_an_uncertain_answer_has_exactly_one_notice() -> None:
    uncertain = ended(sound(), 2, "uncertain")
    assert kinds(uncertain) == {"silence"}
    once = told(uncertain, "t2", ANN, UNSURE, "notice")
    assert kinds(once) == set()
    assert kinds(replace(once, shown=[*once.shown, shown("207", ANN, 2)])) == set()
    again = [*once.shown, Shown(channel=HERE, chat=ANN, thread="", id="300", text=UNSURE)]
    assert kinds(replace(once, shown=again)) == {"duplicate"}
    cut_short = replace(part("t2", ANN, ""), op="notice", state="uncertain", receipt=None)
    assert kinds(replace(uncertain, parts=[*uncertain.parts, cut_short])) == set()


@pytest.mark.parametrize(
    "left",
    [
        replace(sound(), held=["conversation 1 is held by a/b/1-2"]),
        replace(sound(), turns=[*sound().turns, TurnState(id="t9", state="open", outcome=None)]),
        replace(
            sound(),
            parts=[
                *sound().parts,
                PartRow(turn="t1", channel=HERE, chat=ANN, op="send", state="sending", receipt=None),
            ],
        ),
        replace(
            sound(), ledger=[*sound().ledger, LedgerRow(state="reserved", request="", prompt=0, completion=0)]
        ),
    ],
    ids=["lease", "turn", "sending", "reservation"],
)
def test_what_is_not_given_back_is_found(left: Evidence) -> None:
    assert kinds(left) == {"left"}


def test_tokens_that_the_vendor_did_not_charge_are_found() -> None:
    first, *rest = sound().ledger
    assert kinds(replace(sound(), ledger=[replace(first, completion=6), *rest])) == {"ledger"}


def test_a_call_booked_twice_is_found() -> None:
    assert kinds(replace(sound(), ledger=[*sound().ledger, sound().ledger[0]])) == {"ledger"}


def test_a_call_that_no_row_speaks_of_is_found() -> None:
    unknown = replace(sound(), bill=[*sound().bill, Charge(id="c9", prompt=1, completion=1, done=False)])
    assert kinds(unknown) == {"ledger"}
    estimate = LedgerRow(state="interrupted", request="", prompt=1, completion=0, estimated=True)
    assert kinds(replace(unknown, ledger=[*unknown.ledger, estimate])) == set()


def test_an_instance_that_does_not_stop_in_order_is_found() -> None:
    assert kinds(replace(sound(), exits=(0, -9))) == {"exit"}
