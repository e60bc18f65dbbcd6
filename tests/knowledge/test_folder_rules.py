"""A file in a folder says who may read what is below it; what is wrong with it opens nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.audience import group_audience, nobody_audience
from knowledge.readers import groups_of
from knowledge.sources.folder_rules import RULE_FILE, audience_below, parse_rule, read_rule
from tests.knowledge.ingesting import Workplace, workplace


@pytest.mark.parametrize("line", ["everyone", "channel:C012", "person:U012", "usergroup:S012"])
def test_one_line_names_an_audience(line: str) -> None:
    assert parse_rule("s", f"# who\n\n  {line}  \n").audience == line


def test_lines_of_people_are_a_group() -> None:
    rule = parse_rule("s", "Ada@Example.org\nU0BEN\n")
    assert rule.members == {"ada@example.org", "U0BEN"}
    assert rule.audience == group_audience("s", {"ada@example.org", "U0BEN"})
    assert rule.readers is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names nobody"),
        ("# nothing\n", "names nobody"),
        ("everybody\n", "line 1 is 'everybody'"),
        ("everyone\nada@example.org\n", "line 1 is 'everyone'"),
        ("ada@example.org\nchannel:C012\n", "line 2 is 'channel:C012'"),
        ("group:0123", "line 1"),
        ("channel:", "line 1"),
    ],
)
def test_what_is_not_understood_is_for_nobody(text: str, problem: str) -> None:
    rule = parse_rule("s", text)
    assert rule.audience == nobody_audience("s")
    assert problem in rule.problem


def test_a_link_a_folder_and_bytes_are_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("everyone")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text("#" * 70_000)
    for name in ("link", "folder", "bytes", "long", "missing"):
        assert read_rule("s", tmp_path / name).problem, name
    assert not read_rule("s", tmp_path / "real").problem


def test_the_nearest_folder_holds() -> None:
    rules = {"": "channel:C1", "a/b/": "everyone"}
    found = {path: audience_below(rules, path, "person:U1") for path in ("x.md", "a/x.md", "a/b/x.md", "a/b/c/x.md")}
    assert found == {"x.md": "channel:C1", "a/x.md": "channel:C1", "a/b/x.md": "everyone", "a/b/c/x.md": "everyone"}
    assert audience_below({}, "a/x.md", "person:U1") == "person:U1"


def audiences(place: Workplace) -> dict[str, str]:
    return {
        str(uri).rpartition("/docs/")[2]: str(audience)
        for uri, audience in place.rows("SELECT uri, audience FROM document")
    }


def test_a_changed_rule_takes_effect_with_the_next_run_and_embeds_nothing(tmp_path: Path) -> None:
    with workplace(tmp_path) as place:
        place.write("a.md", "alpha")
        place.write("team/b.md", "beta")
        place.write("team/open/c.md", "gamma")
        place.write(f"team/{RULE_FILE}", "channel:C1")
        place.write(f"team/open/{RULE_FILE}", "everyone")
        assert place.sync().added == 3
        assert audiences(place) == {"a.md": "everyone", "team/b.md": "channel:C1", "team/open/c.md": "everyone"}
        place.write(f"team/{RULE_FILE}", "ada@example.org\nU0BEN")
        (place.root / "team" / "open" / RULE_FILE).unlink()
        report = place.sync()
        assert report.embedded_chunks == 0
        group = group_audience(place.stored.id, {"ada@example.org", "U0BEN"})
        assert audiences(place) == {"a.md": "everyone", "team/b.md": group, "team/open/c.md": group}
        assert groups_of(place.engine, {"ada@example.org"}) == {group}
        assert groups_of(place.engine, {"U0CHLOE"}) == frozenset()
        # Again with nothing changed: the permissions are told anew, and stay.
        place.sync()
        assert groups_of(place.engine, {"U0BEN"}) == {group}
        place.write(f"team/{RULE_FILE}", "evryone")
        (failure,) = place.sync().failed
        assert "Nobody may read" in failure.reason
        assert set(audiences(place).values()) == {"everyone", nobody_audience(place.stored.id)}
        (place.root / "team" / RULE_FILE).unlink()
        assert place.sync().failed == ()
        assert set(audiences(place).values()) == {"everyone"}
