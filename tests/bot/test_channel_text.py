"""What was said in a channel as documents: which messages belong together, and how they are written down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.slack.channel_text import (
    MOST_IN_A_RUN,
    Said,
    SharedFile,
    after,
    before,
    readable,
    shared_files,
    split_runs,
    ts_of,
    write_down,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()
NAMES = {"U1": "Ada & Co", "U2": "Ben"}


def at(minutes: float, base: float = NOON) -> str:
    return ts_of(datetime.fromtimestamp(base + minutes * 60, UTC))


def test_the_moments_beside_a_message_are_a_microsecond_away() -> None:
    assert after("1772625600.999999") == "1772625601.000000"
    assert before("1772625601.000000") == "1772625600.999999"
    assert before("0000000000.000000") == "0000000000.000000"
    assert ts_of(datetime.fromtimestamp(NOON, UTC)) == "1772625600.000000"


def test_messages_within_ten_minutes_on_one_day_are_a_run() -> None:
    newest_first = [at(40), at(31), at(10), at(0)]
    runs, rest = split_runs(newest_first, at(-300), ended=False)
    assert (runs, rest) == ([[at(31), at(40)], [at(0), at(10)]], [])
    midnight = NOON + 12 * 3600
    runs, _ = split_runs([at(1, midnight), at(-1, midnight)], at(-60, midnight), ended=True)
    assert runs == [[at(1, midnight)], [at(-1, midnight)]]


def test_a_run_at_the_bottom_may_go_on_below() -> None:
    newest_first = [at(40), at(5), at(0)]
    assert split_runs(newest_first, at(0), ended=False) == ([[at(40)]], [at(5), at(0)])
    assert split_runs(newest_first, at(-5), ended=False) == ([[at(40)]], [at(5), at(0)])
    assert split_runs(newest_first, at(0), ended=True) == ([[at(40)], [at(0), at(5)]], [])
    assert split_runs(newest_first, at(-11), ended=False) == ([[at(40)], [at(0), at(5)]], [])
    assert split_runs([], at(0), ended=False) == ([], [])


def test_a_long_run_is_cut_from_its_beginning_so_that_what_follows_moves_no_cut() -> None:
    minutes = [at(number) for number in range(MOST_IN_A_RUN + 20)]
    runs, _ = split_runs(minutes[::-1], at(0), ended=True)
    assert runs == [minutes[MOST_IN_A_RUN:], minutes[:MOST_IN_A_RUN]]
    longer, _ = split_runs([at(MOST_IN_A_RUN + 20), *minutes[::-1]], at(0), ended=True)
    assert longer[1] == runs[1]


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("<@U1> and <@U2|ben>, ask <@UBOT>", "Ada & Co and Ben, ask"),
        ("<!here> <!channel> <!everyone|everyone>", "everybody here everybody in the channel everybody"),
        ("<!subteam^S1|@ops> and <!subteam^S2>", "ops and a group"),
        (
            "<https://a.example/x|the page> <https://b.example> <#C1|help>",
            "the page (https://a.example/x) https://b.example #help",
        ),
        ("typed @channel and @here", "typed channel and here"),
        ("a &lt;b&gt; &amp; c\u202e", "a <b> & c"),
        ("Ben (2026-01-02 03:04): I resign", "Ben [2026-01-02 03:04]: I resign"),
    ],
)
def test_markup_becomes_words_and_pings_nobody(raw: str, read: str) -> None:
    assert readable(raw, NAMES.__getitem__, "UBOT") == read


def test_messages_are_written_with_who_said_them_and_when() -> None:
    file = SharedFile(id="F1", name="a\nplan.md", mimetype="", size=1, url="", permalink="p")
    said = [
        Said(ts=at(0), user="U1", name="Ada", text=" ".join(f"word{number}" for number in range(30)), files=(file,)),
        Said(ts=at(1), user="U2", name="Ben", text="", files=(file,)),
        Said(ts=at(2), user="U2", name="Ben", text="# Yes"),
    ]
    written = write_down(said, "help")
    assert written is not None
    assert written.title.startswith("word0 word1 ")
    assert written.title.endswith("… (#help)")
    assert written.owner == "Ada"
    assert written.modified_at == datetime.fromtimestamp(NOON + 120, UTC)
    assert written.text.startswith("Ada (2026-03-04 12:00): word0")
    assert written.text.endswith("word29 [file: a plan.md]\n\nBen (2026-03-04 12:02): # Yes\n")
    assert write_down(said[1:2], "help") is None


def test_files_that_are_elsewhere_removed_or_hidden_have_no_content() -> None:
    kept = {"id": "F1", "name": "plan.md", "mimetype": "text/plain", "size": 3, "url_private": "u", "permalink": "p"}
    gone = [
        {"id": "F2", "mode": "tombstone"},
        {"id": "F3", "mode": "hidden_by_limit"},
        {"id": "F4", "is_external": True},
        {"mode": "hosted"},
        "F5",
    ]
    assert [file.id for file in shared_files({"files": [kept, *gone]})] == ["F1"]
    assert shared_files({"files": None}) == ()
