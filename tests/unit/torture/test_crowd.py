"""What an answer says of the questions it answers can be read out of it again."""

import pytest

from bots.torture.crowd import answer, asked, numbers_of


def test_a_whole_answer_names_its_questions() -> None:
    assert numbers_of(answer([3, 11], 20)) == (3, 11)


@pytest.mark.parametrize("end", ["Answer", "Answer to m3", "End of m3", "word word"])
def test_what_was_cut_anywhere_is_no_whole_answer(end: str) -> None:
    whole = answer([3, 11], 20)
    assert numbers_of(whole[: whole.index(end) + len(end)]) is None


def test_an_answer_that_ends_as_another_one_is_not_whole() -> None:
    assert numbers_of("Answer to m3. word End of m4.") is None


def test_messages_that_were_merged_are_all_asked_and_older_ones_are_not() -> None:
    messages = [
        {"role": "system", "content": "m99"},
        {"role": "user", "content": "m1 is what I ask"},
        {"role": "assistant", "content": answer([1], 3)},
        {"role": "user", "content": "m2 is what I ask"},
        {"role": "user", "content": "[user3] m5 is what I ask"},
    ]
    assert asked(messages) == [2, 5]
