"""A channel as a source: threads, runs of messages and files are its documents, for the channel's members alone.

A run begins with what events told to have changed, goes on with what is new, and then looks back: over the last weeks,
or over the whole history the first time, newest first. Each stretch is safe once its Checkpoint is stored, so that a
run may end anywhere, also after one request in a minute, and the next goes on there. What Slack shows no longer is
deleted; where the channel is not the bot's to read any more, all of it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any

from bot.channel_ledger import Change, ChannelLedger, Held
from bot.slack.channel_reader import ChannelClosedError, ChannelReader, Page
from bot.slack.channel_state import Known, Stretch, read_state
from bot.slack.channel_text import (
    MEDIA_TYPE,
    Said,
    SharedFile,
    after,
    belong_together,
    moment_of,
    one_line,
    split_runs,
    ts_of,
    write_down,
)
from bot.slack.download import DownloadError
from knowledge.audience import channel_audience
from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.sources.files import MAX_BYTES, MEDIA_TYPES
from knowledge.sources.source import Checkpoint, SourceStep

LOOK_BACK = timedelta(days=14)
"""A pass that finds what changed without an event goes back so far; what is older changes by event alone."""
LOOK_AGAIN = timedelta(minutes=10)
"""After a pass the next is due; runs in between read what is new and what events told."""
MOST_SECONDS = 600.0
"""A run that is due by the schedule ends after this long, for other sources wait behind it; the next one goes on."""
_FEWEST_STRETCHES = 2
_FROM_THE_START = "0000000000.000000"
_AHEAD = timedelta(minutes=2)
"""Slack's clock and ours differ."""
Steps = Iterator[SourceStep]


@dataclass(frozen=True, kw_only=True)
class ChannelOptions:
    """What a test may want otherwise."""

    refusal: str = ""
    """Why the settings do not permit to read the channel; empty where they do."""
    look_back: timedelta = LOOK_BACK
    look_again: timedelta = LOOK_AGAIN
    most_seconds: float = MOST_SECONDS
    rechecks: int = 40
    """So many threads that look unchanged are read again in each run: an edit in one shows nowhere else."""
    most_bytes: int = MAX_BYTES
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


class ChannelSource:
    """All that people said in one channel; one run at a time."""

    def __init__(
        self, source_id: str, reader: ChannelReader, ledger: ChannelLedger, options: ChannelOptions | None = None
    ) -> None:
        self._id = source_id
        self._reader = reader
        self._ledger = ledger
        self._options = options or ChannelOptions()
        self._state = read_state(None)
        self._name = ""
        self._everything = False
        self._back = ""
        self._read_now: set[str] = set()
        self._again: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        return self._id

    def check(self) -> str:
        """The channel's name, where it may be read; raises SourceError that says why not."""
        if self._options.refusal:
            raise SourceError(self._options.refusal)
        return self._reader.name()

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Steps:
        self._state = read_state(cursor)
        # Without a cursor, what is not told counts as deleted: the run must see it all, and read each file.
        self._everything = cursor is None and bool(self._ledger.document_uris())
        self._again = frozenset(retry)
        self._read_now = set()
        started = self._options.monotonic()
        self._reader.leave_out(self._ledger.left_out())
        try:
            if self._options.refusal:
                raise ChannelClosedError(self._options.refusal)
            self._stay_in_workspace()
            self._name = self._reader.name()
            yield from self._read(until=started + self._options.most_seconds)
        except ChannelClosedError as closed:
            yield from self._clear(closed)

    def _stay_in_workspace(self) -> None:
        """Another workspace, as the playground is one, knows nothing of the channel: that closes it for nobody."""
        teams, team = self._ledger.teams(), self._reader.identity.team
        if teams and team not in teams:
            raise SourceUnavailableError(
                f"The channel {self._reader.channel} is one of the workspace {', '.join(sorted(teams))}, and the "
                f"bot's token opens {team}. What is known from it stays; `lorekeeper sources remove` takes it away."
            )

    def _clear(self, closed: ChannelClosedError) -> Steps:
        """Nothing of a channel stays that is not to be read; when nothing is left, say why nothing comes."""
        uris = self._ledger.document_uris()
        if not uris:
            self._ledger.forget()
            raise closed
        for uri in uris:
            yield DeletedDocument(uri=uri)
        self._state = read_state(None)
        yield self._checkpoint()
        self._ledger.forget()

    def _read(self, *, until: float) -> Steps:
        yield from self._drop(self._ledger.orphans())
        yield from self._heed()
        for root, threaded in self._ledger.units_with(uris=self._again).items():
            yield from self._again_unit(root, threaded=threaded)
        now = int(self._options.now().timestamp())
        looks_back = self._plan()
        begun = 0
        while self._state.stretches:
            # What is new, and a step of what was left over: without that, the one could hold up the other for ever.
            stretch = self._state.stretches[-1]
            yield from self._stretch(stretch, until)
            begun += 1
            if self._is_over(until) and (begun >= _FEWEST_STRETCHES or stretch in self._state.stretches):
                return
        if looks_back:
            self._state.looked = now
            yield from self._check_threads(until)
        yield from self._drop(self._ledger.orphans())
        yield self._checkpoint()

    def _check_threads(self, until: float) -> Steps:
        # Slack shows no edit of a reply anywhere but in the thread itself.
        longest_unseen = sorted(self._state.threads.items(), key=lambda item: (item[1].checked, item[0]))
        due = [root for root, _ in longest_unseen if root not in self._read_now]
        for root in due[: self._options.rechecks]:
            if not self._is_over(until):
                yield from self._thread(root)
                yield from self._heed()

    def _drop(self, uris: Collection[str]) -> Steps:
        if uris:
            yield from (DeletedDocument(uri=uri) for uri in uris)
            yield self._checkpoint()

    def _is_over(self, until: float) -> bool:
        return not self._everything and self._options.monotonic() >= until

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(cursor=self._state.dump())

    # Where to read

    def _plan(self) -> bool:
        """Decide what this run reads: what is new, and then what a run before left over, or else the last weeks; tells
        whether it looks through them."""
        state, now = self._state, self._options.now()
        top = ts_of(now + _AHEAD)
        back = (now - self._options.look_back).replace(hour=0, minute=0, second=0, microsecond=0)
        self._back = ts_of(back)
        state.forget_threads(before=self._back)
        due = now.timestamp() >= state.looked + self._options.look_again.total_seconds()
        if not state.top:
            state.stretches = [Stretch(at=top, floor=_FROM_THE_START)]
        elif state.stretches or not due:
            state.add(Stretch(at=top, floor=self._newest()))
            return bool(state.stretches[1:])
        else:
            state.stretches = [Stretch(at=top, floor=min(self._newest(), self._back))]
        return True

    def _newest(self) -> str:
        """The newest message that was read, or the first one of its run: what is said now may go on with that run."""
        run = self._ledger.newest_run()
        return run[0] if run and belong_together(run[1], self._state.top) else self._state.top

    def _stretch(self, stretch: Stretch, until: float) -> Steps:
        """Read a stretch downwards, from page to page. What was known in it and is not seen any more is gone."""
        kept: dict[str, Said] = {}
        loose: list[str] = []
        seen: set[str] = set()
        begun = latest = stretch.at
        while True:
            page = self._reader.history(oldest=stretch.floor, latest=latest)
            bottom = min((str(one["ts"]) for one in page.messages), default=stretch.floor)
            roots = self._sort(page, kept, loose)
            runs, loose = split_runs(loose, bottom, ended=not page.has_more)
            # Below this nothing is finished: the messages of an open run are read again where the program ends now.
            safe = after(loose[0]) if loose else bottom if page.has_more else stretch.floor
            for root in sorted([*roots, *(run[0] for run in runs)], reverse=True):
                seen.add(root)
                if root in roots:
                    yield from self._thread_if_changed(root, roots[root])
                else:
                    run = next(run for run in runs if run[0] == root)
                    yield from self._unit(root, [kept[ts] for ts in run], threaded=False)
            for root in sorted(self._ledger.units(low=safe, high=stretch.at) - seen):
                yield from self._gone(root)
            stretch.at, latest = safe, bottom
            if not page.has_more:
                self._state.finish(stretch)
            yield self._checkpoint()
            yield from self._heed()
            # Without a step forward the next run would read the same long talk to the same place, and so for ever.
            if not page.has_more or (stretch.at < begun and self._is_over(until)):
                return

    def _sort(self, page: Page, kept: dict[str, Said], loose: list[str]) -> dict[str, Mapping[str, Any]]:
        """Put the messages outside threads, newest first, to those that wait; return the roots of threads."""
        roots: dict[str, Mapping[str, Any]] = {}
        for message in page.messages:
            ts = str(message["ts"])
            self._state.top = max(self._state.top, ts)
            if message.get("thread_ts") not in (None, "", ts):
                continue  # a reply that was sent to the channel as well: it belongs to its thread
            if message.get("reply_count"):
                roots[ts] = message
            elif (said := self._reader.said(message)) is not None:
                kept[ts] = said
                loose.append(ts)
        return roots

    # What changed by event

    def _heed(self) -> Steps:
        """Read again what events told to have changed, also while this run was reading it."""
        while changes := self._ledger.changes():
            self._reader.leave_out(self._ledger.left_out())
            for change in changes:
                yield from self._reread(change)
            self._ledger.settle(changes)

    def _reread(self, change: Change) -> Steps:
        named = {ts for ts in (change.ts, change.root) if ts}
        units = self._ledger.units_with(ts=named)
        for ts in named:
            self._state.threads.pop(ts, None)
        if change.gone:
            yield from self._drop(self._ledger.stored_of(change))
        for root, threaded in units.items():
            yield from self._again_unit(root, threaded=threaded)
        if not units and change.root:
            yield from self._thread(change.root)

    def _again_unit(self, root: str, *, threaded: bool) -> Steps:
        if threaded:
            yield from self._thread(root)
            return
        yield from self._range(root, self._ledger.last_of(root))

    def _range(self, root: str, last: str) -> Steps:
        """Read a run of messages again: it may have become several, or less."""
        kept: dict[str, Said] = {}
        loose: list[str] = []
        roots: dict[str, Mapping[str, Any]] = {}
        latest, more = after(last), True
        while more:
            page = self._reader.history(oldest=root, latest=latest)
            roots |= self._sort(page, kept, loose)
            latest, more = min((str(one["ts"]) for one in page.messages), default=root), page.has_more
        runs, _ = split_runs(loose, root, ended=True)
        for run in runs:
            yield from self._unit(run[0], [kept[ts] for ts in run], threaded=False)
        for ts in roots:
            yield from self._thread_if_changed(ts, roots[ts])
        for gone in sorted(self._ledger.units(low=root, high=after(last)) - roots.keys() - {run[0] for run in runs}):
            yield from self._gone(gone)

    # Units

    def _thread_if_changed(self, root: str, message: Mapping[str, Any]) -> Steps:
        known = self._state.threads.get(root)
        if self._everything or known is None or known.signature != _signature(message):
            yield from self._thread(root)

    def _thread(self, root: str) -> Steps:
        messages = self._reader.thread(root)
        self._read_now.add(root)
        said = [found for one in messages if (found := self._reader.said(one)) is not None]
        if not said:
            yield from self._gone(root)
        parent = next((one for one in messages if str(one["ts"]) == root), {})
        # Read as it is now, whatever the page of history said before.
        checked = int(self._options.now().timestamp())
        if root >= self._back:
            self._state.threads[root] = Known(signature=_signature(parent), checked=checked)
        if said:
            yield from self._unit(root, sorted(said, key=lambda one: one.ts), threaded=True)
        else:
            yield self._checkpoint()

    def _gone(self, root: str) -> Steps:
        self._state.threads.pop(root, None)
        yield from self._drop(self._ledger.drop_unit(root))

    def _unit(self, root: str, said: Sequence[Said], *, threaded: bool) -> Steps:
        """One document of what people said, and one for each file; each is stored before the next is fetched."""
        written = write_down(said, self._name)
        uri = self._reader.permalink(root)
        held = [Held(ts=one.ts, uri=uri, user=one.user) for one in said if one.text]
        files = [(one, file) for one in said for file in one.files if file.permalink and _media_type(file)]
        held += [Held(ts=one.ts, uri=file.permalink, user=one.user, file=file.id) for one, file in files]
        # Before the documents are stored: an event that comes in between finds what it is about.
        team = self._reader.identity.team
        for stale in self._ledger.replace_unit(root, held, threaded=threaded, team=team):
            yield DeletedDocument(uri=stale)
        if written is not None:
            yield FetchedDocument(
                uri=uri,
                title=written.title,
                content=written.text.encode("utf-8", "replace"),
                media_type=MEDIA_TYPE,
                audience=channel_audience(self._reader.channel),
                modified_at=written.modified_at,
                owner=written.owner,
            )
        yield self._checkpoint()
        for one, file in files:
            if self._everything or file.permalink in self._again or not self._ledger.is_stored(file.permalink):
                self._again -= {file.permalink}
                yield self._file(one, file)
                yield self._checkpoint()

    def _file(self, said: Said, file: SharedFile) -> FetchedDocument | FailedDocument:
        most = self._options.most_bytes
        try:
            if file.size > most:
                raise DownloadError(f"The file has {file.size:,} bytes, more than {most:,}.")
            content = self._reader.content(file, most)
        except DownloadError as error:
            return FailedDocument(uri=file.permalink, reason=str(error))
        return FetchedDocument(
            uri=file.permalink,
            title=one_line(file.name),
            content=content,
            media_type=_media_type(file),
            audience=channel_audience(self._reader.channel),
            modified_at=moment_of(said.ts),
            owner=said.name,
        )


def _media_type(file: SharedFile) -> str:
    """What a file is by its name, or plain text where Slack says that it is text; empty where nothing reads it."""
    suffix = PurePath(file.name).suffix.lower()
    return MEDIA_TYPES.get(suffix) or ("text/plain" if file.mimetype.startswith("text/") else "")


def _signature(root: Mapping[str, Any]) -> str:
    """What the first message of a thread tells of the whole: another one where something was said or deleted."""
    edited = root.get("edited")
    edited_at = edited.get("ts") if isinstance(edited, Mapping) else ""
    return f"{root.get('reply_count') or 0}:{root.get('latest_reply') or ''}:{edited_at}:{root.get('subtype') or ''}"
