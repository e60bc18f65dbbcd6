"""Google Drive as a source, asked through Google's client from a server with the real answers' shapes."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import docx
import pytest

from knowledge.audience import EVERYONE, group_audience
from knowledge.document import (
    AudienceChange,
    DeletedDocument,
    FailedDocument,
    FetchedDocument,
    PermissionsRead,
    Readers,
)
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.ingest import ingest
from knowledge.parse import Parser
from knowledge.readers import groups_of, members_of
from knowledge.secret import Secret
from knowledge.sources import Checkpoint, Expected, Source, SourceStep, kind_of, name_of
from knowledge.sources.drive import DriveSource, folder_id
from knowledge.sources.gateway import read_address
from knowledge.store import add_source
from tests.contracts.source import SourceContract
from tests.knowledge.drive_server import ACCOUNT, DOCX, FOLDER, ROOT, TOKEN, Drive, Item, drive_served, user
from tests.knowledge.ingesting import Workplace, workplace

G = "application/vnd.google-apps."
ADA, BEN = "ada@example.com", "ben@example.com"


@pytest.fixture
def drive() -> Iterator[Drive]:
    with drive_served() as served:
        yield served


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def source(drive: Drive, waits: list[float]) -> DriveSource:
    return DriveSource("s", drive.location, Secret(drive.key), sleep=waits.append)


class TestDrive(SourceContract):
    @pytest.fixture(autouse=True)
    def _place(self, drive: Drive) -> None:
        self.drive = drive

    def build(self) -> Source:
        return DriveSource("s", self.drive.location, Secret(self.drive.key), sleep=lambda _: None)

    def put(self, name: str, text: str) -> str:
        return self.drive.put(f"id-{name[:-3]}", Item(name=name, content=text.encode()))

    def take_away(self, name: str) -> None:
        self.drive.items[f"id-{name[:-3]}"].trashed = True

    def lose_place(self) -> None:
        self.drive.status = 503

    def settle(self) -> None:
        """Drive tells one state of a file from the next."""


class TestSharedDrive(TestDrive):
    """Whose files say who may read them only when asked."""

    @pytest.fixture(autouse=True)
    def _shared(self, drive: Drive) -> None:
        drive.items[ROOT].drive = ROOT

    def put(self, name: str, text: str) -> str:
        return self.drive.put(f"id-{name[:-3]}", Item(name=name, content=text.encode(), drive=ROOT))

    def take_away(self, name: str) -> None:
        self.drive.items[f"id-{name[:-3]}"].parent = "elsewhere"


def run(source: Source, cursor: str | None = None, retry: Collection[str] = ()) -> tuple[list[SourceStep], str]:
    *steps, last = source.changes(cursor, retry)
    assert isinstance(last, Checkpoint)
    return steps, last.cursor


def fetched(steps: list[SourceStep]) -> dict[str, FetchedDocument]:
    return {step.title: step for step in steps if isinstance(step, FetchedDocument)}


def word(text: str, title: str = "Badges") -> bytes:
    document = docx.Document()
    document.add_heading(title, 1)
    document.add_paragraph(text)
    kept = io.BytesIO()
    document.save(kept)
    return kept.getvalue()


def test_files_of_all_folders_become_documents(drive: Drive, source: DriveSource) -> None:
    drive.page_size = 2
    drive.put("f1", Item(name="Sub", mime_type=FOLDER))
    drive.put("f2", Item(name="Deep", parent="f1", mime_type=FOLDER))
    drive.put("f3", Item(name="node_modules", mime_type=FOLDER))
    drive.put("a", Item(name="a.md", content=b"alpha"))
    drive.put("b", Item(name="b.pdf", parent="f1", content=b"%PDF", mime_type="application/pdf"))
    drive.put("c", Item(name="notes", parent="f2", content=b"gamma", mime_type="text/plain"))
    drive.put("d", Item(name="x.md", parent="f3"))
    drive.put("e", Item(name="movie.mp4", mime_type="video/mp4"))
    drive.put("f", Item(name="Form", mime_type=f"{G}form"))
    drive.put("g", Item(name="empty.md"))
    drive.put("h", Item(name=".hidden.md", content=b"x"))
    steps, _ = run(source)
    found = fetched(steps)
    assert sorted(found) == ["a", "b", "empty", "notes"]
    assert found["b"].media_type == "application/pdf"
    assert (found["notes"].media_type, found["notes"].content) == ("text/plain", b"gamma")
    assert found["empty"].content == b""
    a = found["a"]
    assert (a.uri, a.owner, a.audience) == (drive.page("a"), "Ada Lovelace", EVERYONE)
    assert a.modified_at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert set(drive.scopes) == {"https://www.googleapis.com/auth/drive.readonly"}
    assert len(drive.scopes) == 1


def test_googles_own_formats_are_exported(drive: Drive, source: DriveSource) -> None:
    office = DOCX.removesuffix("wordprocessingml.document")
    text = word("Maria Lopez issues badges.")
    drive.put("d", Item(name="Badges v1.2", mime_type=f"{G}document", exports={DOCX: text}))
    kind = f"{office}spreadsheetml.sheet"
    drive.put("s", Item(name="Rooms", mime_type=f"{G}spreadsheet", exports={kind: b"PK-sheet"}))
    kind = f"{office}presentationml.presentation"
    drive.put("p", Item(name="Talk", mime_type=f"{G}presentation", exports={kind: b"PK-talk"}))
    found = fetched(run(source)[0])
    assert sorted(found) == ["Badges v1.2", "Rooms", "Talk"]
    assert found["Rooms"].media_type == f"{office}spreadsheetml.sheet"
    assert found["Talk"].content == b"PK-talk"
    with Parser() as parser:
        parsed = parser.parse(found["Badges v1.2"])
    assert parsed.markdown == "# Badges\n\nMaria Lopez issues badges."


def test_what_is_too_large_to_export_is_read_as_text_or_fails(drive: Drive, source: DriveSource) -> None:
    large = "exportSizeLimitExceeded"
    drive.put("d", Item(name="Doc", mime_type=f"{G}document", exports={"text/plain": b"alpha"}, refused=large))
    drive.put("s", Item(name="Sheet", mime_type=f"{G}spreadsheet", refused=large))
    steps, _ = run(source)
    assert (fetched(steps)["Doc"].media_type, fetched(steps)["Doc"].content) == ("text/plain", b"alpha")
    (failed,) = (step for step in steps if isinstance(step, FailedDocument))
    assert (failed.uri, "10 MB" in failed.reason) == (drive.page("s"), True)


def test_what_is_refused_or_too_large_fails_alone(drive: Drive, waits: list[float]) -> None:
    source = DriveSource("s", drive.location, Secret(drive.key), max_bytes=10, sleep=waits.append)
    drive.put("a", Item(name="a.md", content=b"x" * 10))
    drive.put("b", Item(name="b.md", content=b"x" * 11))
    drive.put("c", Item(name="c.md", content=b"x" * 11, size=3))  # it grew since it was listed
    drive.put("d", Item(name="d.md", content=b"x", refused="cannotDownloadFile"))
    drive.put("e", Item(name="e.md", content=b"x", refused="cannotDownloadAbusiveFile"))
    drive.put("f", Item(name="f.md", content=b"x", refused="somethingNew"))
    drive.put("g", Item(name="g.md", content=b"x", refused="notFound"))
    steps, cursor = run(source)
    assert list(fetched(steps)) == ["a"]
    reasons = {step.uri: step.reason for step in steps if isinstance(step, FailedDocument)}
    assert sorted(reasons) == [drive.page(one) for one in "bcdef"]
    assert "b" not in drive.opened()
    assert "larger than" in reasons[drive.page("c")]
    assert "does not allow" in reasons[drive.page("d")]
    assert "somethingNew" in reasons[drive.page("f")]
    assert not any("hidden detail" in reason for reason in reasons.values())
    drive.items["d"].refused = drive.items["g"].refused = ""
    steps, _ = run(source, cursor, retry=reasons)
    assert sorted(fetched(steps)) == ["d", "g"]


def test_shortcuts_lead_to_files_and_not_to_folders(drive: Drive, source: DriveSource) -> None:
    drive.put("a", Item(name="a.md", content=b"alpha", parent="elsewhere"))
    drive.put("t", Item(name="t.md", content=b"gone", parent="elsewhere", trashed=True))
    drive.put("f", Item(name="Folder", parent="elsewhere", mime_type=FOLDER))
    drive.put("s1", Item(name="To a", mime_type=f"{G}shortcut", target="a"))
    drive.put("s2", Item(name="To t", mime_type=f"{G}shortcut", target="t"))
    drive.put("s3", Item(name="To f", mime_type=f"{G}shortcut", target="f"))
    lost = drive.put("s4", Item(name="To nowhere", mime_type=f"{G}shortcut", target="private"))
    steps, _ = run(source)
    assert [step.uri for step in fetched(steps).values()] == [drive.page("a")]
    (failed,) = (step for step in steps if isinstance(step, FailedDocument))
    assert failed.uri == lost
    assert ACCOUNT in failed.reason


def test_a_renamed_or_moved_file_stays_the_same_document(drive: Drive, source: DriveSource) -> None:
    uri = drive.put("a", Item(name="a.md", content=b"alpha"))
    drive.put("f1", Item(name="Sub", mime_type=FOLDER))
    _, cursor = run(source)
    drive.items["a"].parent = "f1"
    steps, cursor = run(source, cursor)
    assert steps == [*steps[:-1], PermissionsRead()]
    assert not [step for step in steps if isinstance(step, FetchedDocument | DeletedDocument)]
    drive.items["a"].name = "b.md"
    steps, cursor = run(source, cursor)
    step = fetched(steps)["b"]
    assert (step.uri, step.retitled, step.moved_from) == (uri, True, None)
    drive.items["a"].link = "https://drive.google.com/file/d/a/view?usp=other"
    steps, cursor = run(source, cursor)
    assert fetched(steps)["b"].moved_from == uri
    drive.items["a"].parent = "elsewhere"
    steps, _ = run(source, cursor)
    assert [step for step in steps if isinstance(step, DeletedDocument)] == [DeletedDocument(uri=drive.page("a"))]


def test_only_what_changed_is_opened(drive: Drive, source: DriveSource) -> None:
    for name in "abc":
        drive.put(name, Item(name=f"{name}.md", content=name.encode()))
    _, cursor = run(source)
    drive.items["b"].content = b"other"
    drive.items["c"].modified = "2026-02-02T03:04:05.678Z"
    drive.asked.clear()
    steps, _ = run(source, cursor)
    assert sorted(fetched(steps)) == ["b", "c"]
    assert Expected(documents=2) in steps
    assert sorted(drive.opened()) == ["b", "c"]


def test_a_stopped_first_run_goes_on_where_it_was(drive: Drive, source: DriveSource) -> None:
    for number in range(60):
        drive.put(f"id{number}", Item(name=f"{number}.md", content=b"x%d" % number))
    steps = source.changes(None)
    cursor = next(step.cursor for step in steps if isinstance(step, Checkpoint))
    drive.asked.clear()
    assert len(fetched(run(source, cursor)[0])) == 10
    assert len(drive.opened()) == 10


class TestReaders:
    def test_people_on_the_list_may_read_and_nobody_else(self, drive: Drive, source: DriveSource) -> None:
        both = [user("Ada@Example.com", "owner"), user(BEN), user(ACCOUNT, "writer")]
        drive.put("a", Item(name="a.md", content=b"a", permissions=both))
        team = {"id": "7", "type": "group", "emailAddress": "team@example.com", "role": "reader"}
        drive.put("b", Item(name="b.md", content=b"b", permissions=[user(ADA, "owner"), team]))
        domain = {"id": "8k", "type": "domain", "domain": "example.com", "role": "reader"}
        drive.put("c", Item(name="c.md", content=b"c", permissions=[user(ADA, "owner"), domain]))
        drive.put("d", Item(name="d.md", content=b"d"))
        steps, _ = run(source)
        audiences = {title: step.audience for title, step in fetched(steps).items()}
        groups = {step.audience: step.members for step in steps if isinstance(step, Readers)}
        assert groups[audiences["a"]] == {ADA, BEN}
        assert groups[audiences["b"]] == {ADA}
        assert audiences["c"] == audiences["d"] == EVERYONE
        assert audiences["a"] == group_audience("s", {ADA, BEN})
        assert steps[-1] == PermissionsRead()

    def test_open_to_all_means_as_open_as_the_source(self, drive: Drive) -> None:
        drive.put("a", Item(name="a.md", content=b"a"))
        steps, _ = run(DriveSource("s", drive.location, Secret(drive.key), "channel:C1"))
        assert fetched(steps)["a"].audience == "channel:C1"

    def test_what_does_not_open_a_file_counts_for_nothing(self, drive: Drive) -> None:
        listed = [
            user(ADA, "owner"),
            user("gone@example.com", deleted=True),
            user("late@example.com", expirationTime="2026-01-01T00:00:00.000Z"),
            user("odd@example.com", expirationTime="some day"),
            user("title@example.com", view="metadata"),
            user("guest@example.com", expirationTime="2026-03-01T00:00:00.000Z"),
            dict(user("x"), type="anyone", view="published"),
        ]
        drive.put("a", Item(name="a.md", content=b"a", permissions=listed))
        now = datetime(2026, 2, 1, tzinfo=UTC)
        steps, _ = run(DriveSource("s", drive.location, Secret(drive.key), now=lambda: now))
        assert [step.members for step in steps if isinstance(step, Readers)] == [{ADA, "guest@example.com"}]

    def test_where_permissions_are_not_told_the_owner_alone_reads(
        self, drive: Drive, source: DriveSource, caplog: pytest.LogCaptureFixture
    ) -> None:
        drive.put("a", Item(name="a.md", content=b"a", may_share=False, permissions=[user(BEN)]))
        drive.items[ROOT].drive = ""
        drive.put("f", Item(name="Shared", mime_type=FOLDER))
        drive.put("b", Item(name="b.md", content=b"b", parent="f", drive="D", augmented=True, may_share=False))
        drive.put("c", Item(name="c.md", content=b"c", permissions=[]))
        steps, _ = run(source)
        groups = {step.audience: step.members for step in steps if isinstance(step, Readers)}
        told = {title: groups[step.audience] for title, step in fetched(steps).items()}
        assert told == {"a": {ADA}, "b": set(), "c": {ADA}}
        assert "3 files" in caplog.text
        assert ACCOUNT in caplog.text

    def test_files_of_a_shared_drive_are_asked_for_once_for_each_folder(
        self, drive: Drive, source: DriveSource
    ) -> None:
        drive.page_size = 2
        people = [user(f"p{number}@example.com") for number in range(5)]
        drive.put(ROOT, Item(name="Drive", parent="", mime_type=FOLDER, drive=ROOT, permissions=people))
        for number in range(4):
            drive.put(f"x{number}", Item(name=f"{number}.md", content=b"%d" % number, drive=ROOT, permissions=people))
        drive.put("own", Item(name="own.md", content=b"o", drive=ROOT, augmented=True, permissions=[user(ADA)]))
        steps, _ = run(source)
        members = {step.audience: step.members for step in steps if isinstance(step, Readers)}
        found = fetched(steps)
        assert len(members[found["0"].audience]) == 5
        assert members[found["own"].audience] == {ADA}
        assert found["own"].owner == "Ben"
        asked = [path.split("/")[4] for path in drive.asked if "/permissions" in path]
        assert sorted(asked) == ["own", ROOT, ROOT, ROOT]

    def test_a_folder_that_does_not_tell_leaves_the_word_to_the_file(self, drive: Drive, source: DriveSource) -> None:
        drive.put(ROOT, Item(name="Drive", parent="", mime_type=FOLDER, drive=ROOT, may_share=False))
        drive.put("a", Item(name="a.md", content=b"a", drive=ROOT, permissions=[user(BEN)]))
        steps, _ = run(source)
        assert [step.members for step in steps if isinstance(step, Readers)] == [{BEN}]

    def test_a_changed_permission_is_told_without_opening_the_file(self, drive: Drive, source: DriveSource) -> None:
        uri = drive.put("a", Item(name="a.md", content=b"a", permissions=[user(ADA), user(BEN)]))
        _, cursor = run(source)
        drive.items["a"].permissions = [user(ADA)]
        drive.asked.clear()
        steps, cursor = run(source, cursor)
        alone = group_audience("s", {ADA})
        assert AudienceChange(uri=uri, audience=alone) in steps
        assert Readers(audience=alone, members=frozenset({ADA})) in steps
        assert (drive.opened(), steps[-1]) == ([], PermissionsRead())
        assert not [step for step in run(source, cursor)[0] if isinstance(step, AudienceChange)]

    def test_it_is_told_before_the_texts_are_read(self, drive: Drive, source: DriveSource) -> None:
        uri = drive.put("a", Item(name="a.md", content=b"a", permissions=[user(ADA), user(BEN)]))
        _, cursor = run(source)
        drive.put("a", Item(name="a.md", content=b"new", permissions=[user(ADA)], refused="cannotDownloadFile"))
        steps, _ = run(source, cursor)
        kinds = [type(step).__name__ for step in steps if getattr(step, "uri", "") == uri]
        assert kinds == ["AudienceChange", "FailedDocument"]

    def test_a_run_that_breaks_off_confirms_nothing(self, drive: Drive, source: DriveSource) -> None:
        drive.put("a", Item(name="a.md", content=b"a"))
        told = source.changes(None)
        steps = [next(told)]
        drive.status = 500
        with pytest.raises(SourceUnavailableError):
            steps.extend(told)
        assert PermissionsRead() not in steps


class TestTrouble:
    @pytest.mark.parametrize(
        ("status", "reason"),
        [(429, "rateLimitExceeded"), (403, "userRateLimitExceeded"), (500, "internalError"), (503, "backendError")],
    )
    def test_a_busy_service_is_asked_again(
        self, drive: Drive, source: DriveSource, waits: list[float], status: int, reason: str
    ) -> None:
        drive.put("a", Item(name="a.md", content=b"a"))
        drive.trouble = [(status, {}, reason)] * 3
        assert list(fetched(run(source)[0])) == ["a"]
        assert len(waits) == 3
        assert waits[0] < waits[2] <= 4

    def test_it_waits_as_long_as_it_is_asked_to(self, drive: Drive, source: DriveSource, waits: list[float]) -> None:
        drive.put("a", Item(name="a.md", content=b"a"))
        drive.trouble = [(429, {"Retry-After": "17"}, "rateLimitExceeded")]
        run(source)
        assert waits == [17]
        drive.trouble = [(429, {"Retry-After": "3600"}, "rateLimitExceeded")]
        with pytest.raises(SourceUnavailableError, match="answered 429"):
            run(source)
        assert waits == [17]

    def test_it_gives_up_in_the_end(self, drive: Drive, source: DriveSource, waits: list[float]) -> None:
        drive.status = 503
        with pytest.raises(SourceUnavailableError, match="answered 503"):
            run(source)
        assert len(waits) == 5

    def test_a_service_that_nobody_reaches_is_left_at_once(self, waits: list[float]) -> None:
        with drive_served() as drive:
            key, location = drive.key, drive.location
        with pytest.raises(SourceUnavailableError, match="nobody answers"):
            run(DriveSource("s", location, Secret(key), sleep=waits.append))
        assert waits == []

    def test_one_folder_that_cannot_be_listed_deletes_nothing(self, drive: Drive, source: DriveSource) -> None:
        drive.put("a", Item(name="a.md", content=b"a"))
        _, cursor = run(source)
        drive.trouble = [(403, {}, "insufficientFilePermissions")] * 2
        with pytest.raises(SourceUnavailableError, match="insufficientFilePermissions"):
            run(source, cursor)

    def test_a_folder_that_is_not_shared_says_with_whom_to_share_it(self, drive: Drive, source: DriveSource) -> None:
        with pytest.raises(SourceUnavailableError, match=f"no document that {ACCOUNT} sees"):
            run(source)
        del drive.items[ROOT]
        with pytest.raises(SourceUnavailableError, match=f"Share it with {ACCOUNT}"):
            run(source)
        drive.put(ROOT, Item(name="Handbook", mime_type=FOLDER, trashed=True))
        with pytest.raises(SourceUnavailableError, match="in the bin"):
            run(source)
        drive.put(ROOT, Item(name="a.md"))
        with pytest.raises(SourceUnavailableError, match="no folder"):
            run(source)

    def test_a_folder_that_is_empty_all_at_once_keeps_what_is_known(self, drive: Drive, source: DriveSource) -> None:
        for number in range(21):
            drive.put(f"id{number}", Item(name=f"{number}.md", content=b"x"))
        _, cursor = run(source)
        root = drive.items[ROOT]
        drive.items = {ROOT: root}
        with pytest.raises(SourceUnavailableError, match="empty all at once; 21 documents"):
            run(source, cursor)

    def test_a_key_that_is_not_accepted_is_said(self, drive: Drive, source: DriveSource) -> None:
        drive.token_error = "invalid_grant"
        with pytest.raises(SourceUnavailableError, match=f"does not accept the key of {ACCOUNT}"):
            run(source)

    def test_an_api_that_is_not_enabled_is_said(self, drive: Drive, source: DriveSource) -> None:
        drive.trouble = [(403, {}, "accessNotConfigured")]
        with pytest.raises(SourceUnavailableError, match="enable it"):
            run(source)


@pytest.mark.parametrize(
    "credential",
    ["", "not json", "[]", '{"type": "authorized_user", "refresh_token": "hidden"}', "damaged", '{"type": "hidden"}'],
)
def test_a_credential_that_is_no_key_is_refused_and_not_shown(drive: Drive, credential: str) -> None:
    if credential == "damaged":
        credential = json.dumps(json.loads(drive.key) | {"private_key": "-----BEGIN hidden-----"})
    with pytest.raises(SourceError) as refused:
        run(DriveSource("s", drive.location, Secret(credential)))
    assert "hidden" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_secrets_show_nowhere(drive: Drive, source: DriveSource, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    drive.put("a", Item(name="a.md", content=b"a", refused="somethingNew"))
    drive.trouble = [(429, {}, "rateLimitExceeded")]
    steps, cursor = run(source)
    drive.status = 500
    with pytest.raises(SourceUnavailableError) as failed:
        run(source)
    shown = f"{steps} {cursor} {failed.value} {caplog.text} {source!r}"
    assert TOKEN not in shown
    assert "PRIVATE KEY" not in shown
    assert not any(TOKEN in path for path in drive.asked)


def test_addresses_of_folders() -> None:
    good = [
        "https://drive.google.com/drive/folders/1AbC-d_9",
        "https://drive.google.com/drive/u/0/folders/1AbC-d_9?usp=sharing",
        "https://drive.google.com/open?id=1AbC-d_9",
    ]
    assert {folder_id(read_address(one)) for one in good} == {"1AbC-d_9"}
    assert {kind_of(one) for one in good} == {"drive"}
    assert name_of(good[0]) == "drive-1AbC-d_9"
    for bad in ("https://drive.google.com/drive/my-drive", "https://example.com/folders/1AbC", "x", "https://[x"):
        with pytest.raises(SourceError, match="no folder of Google Drive"):
            folder_id(read_address(bad))


@pytest.mark.parametrize("gateway", ["http://example.com", "https://a:b@example.com", "ftp://x", "", "https://[", "//"])
def test_a_gateway_must_be_one_that_a_token_may_be_sent_to(gateway: str) -> None:
    with pytest.raises(SourceError, match="no address of a gateway"):
        read_address(f"https://drive.google.com/drive/folders/1#api={gateway}")
    assert read_address("https://x/y#api=https://gate.example.com/g/").endpoint == "https://gate.example.com/g"


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as made:
        yield made


def test_from_end_to_end(drive: Drive, work: Workplace) -> None:
    stored = add_source(work.engine, kind="drive", location=drive.location)

    def sync() -> tuple[int, int, int, int]:
        done = ingest(DriveSource(stored.id, drive.location, Secret(drive.key)), work.parts)
        return done.added, done.changed, done.deleted, done.embedded_chunks

    drive.put("a", Item(name="Badges.txt", content=b"Maria issues badges.", permissions=[user(ADA), user(BEN)]))
    drive.put("d", Item(name="Leave", mime_type=f"{G}document", exports={DOCX: word("16 weeks.", "Leave")}))
    assert sync()[:3] == (2, 0, 0)
    assert sync() == (0, 0, 0, 0)
    (audience,) = groups_of(work.engine, [BEN])
    assert members_of(work.engine, audience) == (ADA, BEN)
    (before,) = work.rows("SELECT id, title FROM document WHERE title = 'Badges'")
    drive.items["a"].name = "Keys.txt"
    drive.items["a"].permissions = [user(ADA)]
    assert sync()[:3] == (0, 1, 0)
    assert work.rows("SELECT id, owner FROM document WHERE title = 'Keys'") == [(before[0], "Ada Lovelace")]
    assert groups_of(work.engine, [BEN]) == frozenset()
    drive.items["a"] = replace(drive.items["a"], trashed=True)
    assert sync()[:3] == (0, 0, 1)
    assert groups_of(work.engine, [ADA]) == frozenset()
