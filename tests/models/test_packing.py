"""Rows in one sequence: each is there whole, sees the common beginning and itself, and nothing of another row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.packing import Row, pack_rows, total_tokens

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(tuple)
rows = st.lists(st.builds(Row, prompt=tokens, answer=tokens), min_size=1, max_size=12)


@given(rows, st.integers(40, 200))
def test_every_row_can_be_read_back_from_its_pack(given_rows: list[Row], most: int) -> None:
    found = []
    for pack in pack_rows(given_rows, most):
        for number in range(1, pack.rows + 1):
            seen = [at for at, branch in enumerate(pack.branch) if branch in (0, number)]
            said = [
                (at, label) for at, label in zip(pack.at, pack.labels, strict=True) if pack.branch[at + 1] == number
            ]
            answer = tuple(label for _, label in said)
            whole = tuple(pack.input_ids[at] for at in seen)
            assert [pack.position_ids[at] for at in seen] == list(range(len(seen)))
            assert whole[len(whole) - len(answer) :] == answer
            # What predicts a token stands right before it, within the row's own view.
            assert [pack.position_ids[at] for at, _ in said] == list(
                range(len(whole) - len(answer) - 1, len(whole) - 1)
            )
            found.append((whole[: len(whole) - len(answer)], answer))
    assert sorted(found) == sorted((row.prompt, row.answer) for row in given_rows)


@given(rows, st.integers(40, 200))
def test_packs_are_no_longer_than_asked_unless_a_row_is(given_rows: list[Row], most: int) -> None:
    for pack in pack_rows(given_rows, most):
        assert len(pack.input_ids) <= most or pack.rows == 1


def test_a_common_text_is_read_once() -> None:
    text = tuple(range(100, 200))
    asked = [Row(prompt=(*text, number, 1), answer=(number, 2)) for number in range(20)]
    (pack,) = pack_rows(asked, 400)
    assert total_tokens([pack]) == 100 + 20 * 4
    assert pack.rows == 20


def test_rows_with_little_in_common_stay_apart() -> None:
    packs = pack_rows([Row(prompt=(1,) * 10 + (n,) * 60, answer=(n,)) for n in range(5)], 1000)
    assert len(packs) == 5


def test_a_weight_goes_with_every_token_of_its_row() -> None:
    text = tuple(range(100, 150))
    heavy, light = Row(prompt=(*text, 1), answer=(1, 2), weight=2.0), Row(prompt=(*text, 2), answer=(3,), weight=0.5)
    (pack,) = pack_rows([light, heavy], 400)
    assert dict(zip(pack.labels, pack.weights, strict=True)) == {1: 2.0, 2: 2.0, 3: 0.5}
