"""The checker is itself put to the test: a sound trial passes, and each planted fault is caught by name."""

from dataclasses import replace
from math import inf

import pytest

from bots.torture.checker import PLACEHOLDER, Invariant, Kind, check
from bots.torture.crowd import answer
from bots.torture.evidence import THINKING, Ages, Charge, Evidence, Said, Shown
from bots.torture.remains import InboxRow, LedgerRow, Mention, PartRow, Place, Rollup, TurnState
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


def booked(number: int, **more: object) -> LedgerRow:
    row = LedgerRow(
        turn=f"t{number}", request=f"c{number}", prompt=10 + number, completion=5, reserved_prompt=100,
        reserved_completion=100,
    )  # fmt: skip
    return replace(row, **more)  # type: ignore[arg-type]


def unsettled(state: str = "interrupted") -> LedgerRow:
    return booked(9, request="", state=state, prompt=1, completion=0, estimated=True)


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
        ledger=[booked(n) for n in range(1, 6)],
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


def broken(evidence: Evidence) -> set[Invariant]:
    return check(evidence).broken()


def test_a_sound_trial_passes() -> None:
    verdict = check(sound())
    assert verdict.findings == ()
    assert (verdict.accepted, verdict.ends, verdict.strays) == (6, {"answered": 6}, 0)


def test_a_message_that_was_never_accepted_is_lost() -> None:
    assert kinds(replace(sound(), inbox=sound().inbox[1:])) == {"lost"}


def test_a_message_that_its_platform_gave_up_to_bring_is_not_ours() -> None:
    first, *rest = sound().said
    given_up = replace(sound(), said=[replace(first, taken=inf), *rest], inbox=sound().inbox[1:])
    verdict = check(replace(given_up, shown=sound().shown[1:]))
    assert (verdict.unheard, verdict.count("lost")) == (1, 0)
    taken = check(replace(given_up, said=sound().said, shown=sound().shown[1:]))
    assert (taken.unheard, taken.broken()) == (0, {"I3"})


@pytest.mark.parametrize("outcome", ["", "forgotten", None])
def test_there_are_seven_ends_and_no_other(outcome: str | None) -> None:
    first, *rest = sound().inbox
    assert broken(replace(sound(), inbox=[replace(first, outcome=outcome), *rest])) == {"I1"}


def test_a_message_that_nobody_finished_is_lost() -> None:
    first, *rest = sound().inbox
    waiting = replace(first, state="waiting", outcome=None)
    assert kinds(replace(sound(), inbox=[waiting, *rest], shown=sound().shown[1:])) == {"lost"}


def test_an_answer_that_nobody_saw_is_lost() -> None:
    assert kinds(replace(sound(), shown=sound().shown[1:])) == {"lost"}


def test_the_same_answer_twice_is_a_duplicate() -> None:
    twice = [*sound().shown, shown("206", BEN, 3, 4)]
    assert [finding.kind for finding in check(replace(sound(), shown=twice)).findings] == ["duplicate"]
    thrice = [*twice, shown("207", BEN, 3, 4)]
    assert [finding.kind for finding in check(replace(sound(), shown=thrice)).findings] == ["duplicate"] * 2


def test_an_answer_to_one_of_two_merged_messages_again_is_a_duplicate() -> None:
    assert kinds(replace(sound(), shown=[*sound().shown, shown("206", BEN, 4)])) == {"duplicate"}


def test_a_message_accepted_twice_is_a_duplicate() -> None:
    assert kinds(replace(sound(), inbox=[*sound().inbox, sound().inbox[0]])) == {"duplicate"}


def test_answers_in_the_other_order_are_a_swap() -> None:
    first, second, *rest = sound().shown
    assert kinds(replace(sound(), shown=[second, first, *rest])) == {"swap"}


def test_a_channel_that_brings_messages_out_of_order_binds_no_acceptance() -> None:
    first, second, *rest = sound().inbox
    early, late, *more = sound().shown
    inbox = [replace(first, seq=2), replace(second, seq=1), *rest]
    swapped = replace(sound(), inbox=inbox, shown=[late, early, *more])
    assert broken(swapped) == {"I4"}
    assert kinds(replace(swapped, reordered={HERE})) == set()


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
    assert kinds(replace(sound(), shown=[half, *rest])) == {"half"}


def test_half_an_answer_may_stand_where_the_notice_takes_the_place_of_the_rest() -> None:
    doubted = told(ended(sound(), 1, "uncertain"), "t1", ANN, UNSURE, "notice")
    half = Shown(channel=HERE, chat=ANN, thread="", id="206", text="Answer to m1. word")
    once = replace(doubted, shown=[*doubted.shown, half])
    assert kinds(once) == kinds(doubted) == set()
    assert kinds(replace(once, shown=[*once.shown, replace(half, id="207")])) == {"half"}


def test_a_preview_left_beside_the_answer_is_half_an_answer() -> None:
    half = Shown(channel=HERE, chat=ANN, thread="", id="206", text="Answer to m1. word")
    assert kinds(replace(sound(), shown=[*sound().shown, half])) == {"half"}


def test_a_promise_that_still_stands_is_silence() -> None:
    line = Shown(channel=HERE, chat=ANN, thread="", id="206", text=THINKING)
    assert kinds(replace(sound(), shown=[*sound().shown, line])) == {"silence"}


def test_a_line_that_nobody_recorded_is_a_duplicate() -> None:
    line = Shown(channel=HERE, chat=ANN, thread="", id="206", text="Sorry.")
    assert kinds(replace(sound(), shown=[*sound().shown, line])) == {"duplicate"}


def test_a_kill_a_freeze_or_a_lost_answer_may_leave_one_placeholder_on_telegram() -> None:
    stray = Shown(channel="telegram", chat=ANN, thread="", id="206", text=PLACEHOLDER)
    left = replace(sound(), shown=[*sound().shown, stray])
    assert check(left).strays == 1
    assert kinds(left) == {"stray"}
    assert kinds(replace(left, kills=1)) == set()
    assert kinds(replace(left, freezes=1)) == set()
    assert kinds(replace(left, unanswered={"telegram": 1})) == set()
    assert kinds(replace(left, shown=[*left.shown, stray], kills=1)) == {"stray"}


@pytest.mark.parametrize("channel", ["discord", "slack"])
def test_elsewhere_a_lost_placeholder_is_found_again_and_only_a_freeze_leaves_one(channel: str) -> None:
    stray = Shown(channel=channel, chat=ANN, thread="", id="206", text=PLACEHOLDER)
    left = replace(sound(), shown=[*sound().shown, stray])
    assert kinds(replace(left, kills=9, unanswered={channel: 9, "telegram": 9})) == {"stray"}
    assert kinds(replace(left, freezes=1)) == set()


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
        replace(sound(), ledger=[*sound().ledger, unsettled("reserved")]),
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
    assert broken(unknown) == {"I6", "I10"}
    assert kinds(replace(unknown, ledger=[*unknown.ledger, unsettled()])) == set()
    refused = replace(unknown, bill=[*sound().bill, Charge(id="c9", prompt=0, completion=0, done=False)])
    assert broken(refused) == {"I10"}


def test_a_call_that_used_more_than_was_reserved_is_found() -> None:
    first, *rest = sound().ledger
    assert broken(replace(sound(), ledger=[replace(first, reserved_completion=4), *rest])) == {"I7"}


def test_hours_that_say_more_than_the_ledger_are_found() -> None:
    rollup = Rollup(calls=5, prompt=65, completion=25)
    assert kinds(replace(sound(), rollup=rollup)) == set()
    assert broken(replace(sound(), rollup=replace(rollup, completion=30))) == {"I6"}


def test_a_row_that_names_another_places_message_is_foreign() -> None:
    own = Mention(table="messages", channel=HERE, chat=ANN, thread="", numbers=(1, 2))
    assert kinds(replace(sound(), mentions=[own])) == set()
    assert broken(replace(sound(), mentions=[replace(own, numbers=(1, 3))])) == {"I5"}


def test_a_line_that_names_another_places_message_is_foreign() -> None:
    assert broken(told(sound(), "t1", ANN, "Sorry about m3.")) == {"I5"}


def test_an_answer_that_no_row_speaks_of_is_found() -> None:
    assert broken(replace(sound(), parts=sound().parts[1:])) == {"I10"}


def test_a_secret_that_leaked_is_found() -> None:
    assert broken(replace(sound(), leaks=["TOKEN stands in the log i1/log"])) == {"I8"}


def test_an_answer_in_several_parts_is_one() -> None:
    first, *rest = sound().shown
    cut = len(first.text) // 2
    ends = [replace(first, text=first.text[:cut]), replace(first, id="211", text=first.text[cut:])]
    halves = replace(sound(), shown=[*ends, *rest])
    assert "half" in kinds(halves)
    parts = [*sound().parts, replace(part("t1", ANN, "211", "send"), part=2)]
    assert kinds(replace(halves, parts=parts)) == set()
    assert kinds(replace(halves, shown=[ends[0], *rest], parts=parts)) == {"half"}


def test_what_is_answered_after_its_time_is_found() -> None:
    first, *rest = sound().inbox
    ages = Ages(late=60, stale=3600, grace=10)

    def waited(seconds: float) -> Evidence:
        return replace(sound(), inbox=[replace(first, waited=seconds), *rest], ages=ages)

    assert [kinds(waited(seconds)) for seconds in (69, 71, 3700)] == [set(), {"late"}, {"stale"}]


def test_what_is_closed_as_stale_must_be_old_and_unanswered() -> None:
    stale = ended(sound(), 2, "stale")
    assert kinds(stale) == {"lost"}
    old = [replace(one, waited=90_000.0) if one.outcome == "stale" else one for one in stale.inbox]
    assert kinds(replace(stale, inbox=old)) == set()


def test_only_what_somebody_deleted_is_withdrawn() -> None:
    gone = ended(sound(), 2, "withdrawn")
    assert kinds(gone) == {"lost"}
    deleted = [replace(one, withdrawn=one.number == 2) for one in gone.said]
    assert kinds(replace(gone, said=deleted)) == set()
    assert kinds(replace(gone, said=deleted, shown=sound().shown)) == {"duplicate"}


def test_only_what_the_platform_did_not_take_is_undeliverable() -> None:
    silent = ended(sound(), 2, "undeliverable")
    assert kinds(silent) == {"silence"}
    parts = [replace(one, state="dead", receipt=None) if one.turn == "t2" else one for one in silent.parts]
    assert kinds(replace(silent, parts=parts)) == set()


def test_one_apology_covers_all_that_its_turn_took() -> None:
    both = ended(ended(sound(), 3, "apologised"), 4, "apologised")
    silent = replace(both, shown=[one for one in both.shown if one.chat != BEN])
    assert kinds(silent) == {"silence"}
    once = told(silent, "t3", BEN, "Sorry for the wait.")
    assert kinds(once) == set()
    again = Shown(channel=HERE, chat=BEN, thread="", id="298", text="Sorry for the wait.")
    twice = replace(once, shown=[*once.shown, again], parts=[*once.parts, part("t3", BEN, "298", "send")])
    assert kinds(twice) == {"duplicate"}


def test_one_notice_covers_all_that_its_turn_took() -> None:
    both = ended(ended(sound(), 3, "uncertain"), 4, "uncertain")
    silent = replace(both, shown=[one for one in both.shown if one.chat != BEN])
    other = "I was restored from a backup."
    assert kinds(replace(told(silent, "t3", BEN, other, "notice"), notices=frozenset({other}))) == set()


def uncertain(*doubted: str) -> Evidence:
    """Neither of Ann's two answers is sure to have come; of each turn that is not `doubted` the outbox says
    that its notice went out."""
    both = ended(ended(sound(), 1, "uncertain"), 2, "uncertain")
    notices = [
        replace(part(turn, ANN, receipt), op="notice", part=2)
        for turn, receipt in (("t1", "301"), ("t2", "302"))
    ]
    lost = [replace(one, state="uncertain", receipt=None) if one.turn in doubted else one for one in notices]
    return replace(both, parts=[*both.parts, *lost])


def noticed(evidence: Evidence, *ids: str, reply_to: str | None = None) -> list[tuple[Kind, tuple[int, ...]]]:
    """What is found where these notices stand."""
    lines = [Shown(channel=HERE, chat=ANN, thread="", id=id, text=UNSURE, reply_to=reply_to) for id in ids]
    findings = check(replace(evidence, shown=[*evidence.shown, *lines])).findings
    return [(finding.kind, finding.about) for finding in findings]


def test_each_uncertain_turn_has_its_own_notice() -> None:
    assert noticed(uncertain(), "301", "302") == []
    assert noticed(uncertain(), "301") == [("silence", (2,))]


def test_two_notices_for_one_turn_do_not_make_up_for_none_for_another() -> None:
    again = replace(part("t1", ANN, "303"), op="notice", part=3)
    doubled = replace(uncertain(), parts=[*uncertain().parts, again])
    assert noticed(doubled, "301", "303") == [("duplicate", (1,)), ("silence", (2,))]
    assert noticed(uncertain(), "301", "unknown") == [("duplicate", ()), ("silence", (2,))]


def test_a_notice_without_a_receipt_belongs_to_a_turn_whose_notice_was_cut_short() -> None:
    assert noticed(uncertain("t2"), "301", "unknown") == []
    assert noticed(uncertain("t2"), "301") == []
    assert noticed(uncertain("t1", "t2"), "this", "that") == []
    assert noticed(uncertain("t2"), "301", "this", "that") == [("duplicate", ())]


def test_a_notice_without_a_receipt_belongs_to_the_turn_that_it_quotes() -> None:
    assert noticed(uncertain("t1", "t2"), "this", reply_to="102") == []
    twice = noticed(uncertain("t1", "t2"), "this", "that", reply_to="102")
    assert twice == [("duplicate", (2,))]


def test_a_notice_of_a_turn_that_is_sure_is_one_too_many() -> None:
    assert kinds(told(sound(), "t2", ANN, UNSURE, "notice")) == {"duplicate"}


def test_what_is_shown_twice_says_where_and_to_what() -> None:
    (twice,) = check(replace(sound(), shown=[*sound().shown, shown("206", BEN, 3, 4)])).findings
    assert (twice.shown_in, twice.about) == (Place(HERE, BEN, ""), (3, 4))
    first, second, *rest = sound().shown
    (swapped,) = check(replace(sound(), shown=[second, first, *rest])).findings
    assert (swapped.shown_in, swapped.about) == (Place(HERE, ANN, ""), (2, 1))
    (row, *_) = sound().inbox
    (accepted,) = check(replace(sound(), inbox=[*sound().inbox, row])).findings
    assert accepted.shown_in is None, "no call of a frozen process does that"


def test_an_instance_that_does_not_stop_in_order_is_found() -> None:
    assert kinds(replace(sound(), exits=(0, -9))) == {"exit"}


@pytest.mark.parametrize("beginning", ["Answer to m1. word\n\n", "Answer\n\n", "", "Answer to m"])
@pytest.mark.parametrize(
    "mark", ["(cut off: the model stopped in the middle)", "_(cut off: the model stopped in the middle)_"]
)
def test_an_answer_that_says_it_was_cut_off_is_one_where_the_model_broke_off(
    beginning: str, mark: str
) -> None:
    first, *rest = sound().shown
    cut = replace(first, text=f"{beginning}{mark}")
    unfinished = replace(sound(), shown=[cut, *rest])
    assert kinds(unfinished) == {"half"}, "no call broke off"
    broke = replace(unfinished, bill=[replace(sound().bill[0], done=False), *sound().bill[1:]])
    assert kinds(broke) == set()
    assert kinds(replace(broke, shown=[cut, *rest, shown("206", ANN, 1)])) == {"duplicate"}
    assert kinds(replace(broke, shown=[replace(cut, id="nobody's"), *rest])) & {"lost", "half"}


def test_an_answer_may_name_an_apologised_question_before_the_one_it_quotes() -> None:
    before, asked = said(5, ANN, GROUP, "9"), said(6, BEN, GROUP, "9")
    evidence = ended(sound(), 5, "apologised")
    named = replace(shown("205", GROUP, 5, 6, thread="9"), reply_to=asked.message_id)
    line = Shown(channel=HERE, chat=GROUP, thread="9", id="204", text="Something went wrong.")
    others = [one for one in evidence.shown if one.id not in ("204", "205")]
    assert kinds(replace(evidence, shown=[*others, line, named])) == set()
    assert kinds(replace(evidence, shown=[*others, line, replace(named, reply_to=before.message_id)])) == {
        "foreign"
    }
