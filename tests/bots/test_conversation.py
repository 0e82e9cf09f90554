"""What is heard, and what is missing before an index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.conversation import Heard


def test_consecutive_indexes_leave_nothing_ahead() -> None:
    heard = Heard()
    for index in range(5):
        heard = heard.plus(index)
    assert heard == Heard(4)


def test_an_index_beyond_a_gap_waits_ahead_until_the_gap_is_filled() -> None:
    heard = Heard(3).plus(6)
    assert heard == Heard(3, (6,))
    assert heard.plus(5, 4) == Heard(6)


@pytest.mark.parametrize(
    ("heard", "index", "missing"),
    [
        (Heard(), 0, 0),
        (Heard(), 3, 3),
        (Heard(4), 5, 0),
        (Heard(4), 8, 3),
        (Heard(4, (6,)), 8, 2),
        (Heard(4), 2, 0),
    ],
)
def test_missing_counts_the_unknown_indexes_below(heard: Heard, index: int, missing: int) -> None:
    assert heard.missing_before(index) == missing


def test_what_was_looked_through_is_known_even_where_nothing_was() -> None:
    assert Heard(2, (7, 9)).up_to(6) == Heard(7, (9,))
    assert Heard(8).up_to(6) == Heard(8)


@given(st.lists(st.integers(min_value=0, max_value=30)))
def test_the_order_of_hearing_does_not_matter(indexes: list[int]) -> None:
    one_by_one = Heard()
    for index in indexes:
        one_by_one = one_by_one.plus(index)
    assert one_by_one == Heard().plus(*indexes)
    assert all(one_by_one.missing_before(index) == len(set(range(index)) - set(indexes)) for index in range(32))
