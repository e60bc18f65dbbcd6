"""Every sentence that Lorekeeper itself says to people, in one place and ready to translate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.channels import ChannelSettings
    from bot.overview import QueueState

# While it works
SEARCHING = "Searching…"
WRITING = "Writing… say “stop” in this thread to stop."
STOPPED = "Stopped as you asked."

# Answers
ABSTAINED = "I couldn't find an answer to that in my sources, so I'd rather not guess."
EMPTY_ANSWER = "I have no words for that, sorry. Could you ask it another way?"
SOURCES = "Sources"
NEAREST = "These came closest"
CONTINUED = "The answer goes on in the next message."
CUT = "The answer was too long for Slack and ends here."
UNTITLED = "Untitled"
# Of a name beside a source, and of a title in a sentence about sources.
_LONGEST_OWNER, _LONGEST_CLAIMANT = 40, 60

# What an answer says beside what the model writes
NOT_FOUND = "I could not find an answer to that in my sources."
STILL_READING = "I am still reading some of them for the first time: ask again in a few minutes."
CLARIFY = "I know of several things that this may be about. Do you mean:"
CLARIFY_REPLY = "Choose one, reply with its number, or say it in your own words."
ANSWER_SEARCHING = "Searching the team's knowledge…"
ANSWER_READING = "Reading {count} passages…"
ANSWER_STOPPED = "Stopped."
QUOTING = "The sources say: "
QUOTING_MORE = "The sources also say: "
WITH_QUOTE = "{answer}: “{quote}”"
NOTHING_ELSE = "I looked again and found nothing else to say."
NO_QUESTION = "What would you like to know? Ask me in your own words."
SMALL_TALK: Mapping[str, str] = {
    "greeting": "Hello! Ask me something about your team's documents, and I will answer with the sources I used.",
    "thanks": "You are welcome. A 👍 or 👎 on an answer helps me to get better.",
    "goodbye": "Goodbye! Write to me whenever you have another question.",
    "noted": "Good. Ask me whenever something is open.",
    "help": (
        "I answer questions from your team's own documents and show where each answer comes from. Ask in full "
        "sentences, then follow up in the same thread. Write *stop* to stop me."
    ),
}

# Refusals and failures
SHARED_CHANNEL = (
    "This channel is shared with another organisation, so I don't answer here. Please write to me directly."
)

# Feedback
GOOD_ANSWER = "Good answer"
BAD_ANSWER = "Bad answer"
RECEIPT_GOOD = "👍 Thanks, noted."
RECEIPT_BAD = "👎 Thanks, noted."
RECEIPT_WITHDRAWN = "Taken back."
RECEIPT_REASON = "Thank you. Your note is kept with the answer and helps to make the next one better."
NO_SUCH_ANSWER = "I can't find that answer any more, so your vote was not kept."
ASK_REASON = "👎 Thanks, noted. Would you tell me what was wrong?"
TELL_MORE = "Tell me more"
FORM_TITLE = "What was wrong?"
FORM_SEND = "Send"
FORM_CANCEL = "Cancel"
FORM_REASON = "Reason"
FORM_CORRECTION = "What would have been a better answer?"
FORM_CORRECTION_HINT = "Kept with this answer. Write nothing here that others may not read."
FORM_REASON_MISSING = "Please choose a reason."
FORM_CORRECTION_MISSING = "Please say in a few words what was wrong."
REASONS = {
    "wrong": "It is wrong",
    "unknown": "It should have said that it does not know",
    "outdated": "It is outdated",
    "incomplete": "Something is missing",
    "unclear": "It is hard to understand",
    "source": "The sources do not fit",
    "other": "Something else",
}

# The home page
HOME_GREETING = "Hi, I'm Lorekeeper"
HOME_INTRODUCTION = (
    "I answer questions from the sources below, on this team's own machine, and say where each answer comes "
    "from. When my sources don't know, I say so."
)
HOME_HOW_TITLE = "How to ask"
HOME_HOW = (
    "Mention me in a channel, or write me a direct message.",
    "Ask follow-up questions in the thread; you don't need to mention me again.",
    "Say “stop” to stop an answer.",
    "Tell me how it was with 👍 or 👎; after 👎 you can send me a better answer.",
)
HOME_SOURCES_TITLE = "What I know"
HOME_NO_SOURCES = "I have no sources yet. An operator can add a folder with: lorekeeper sources add"
HOME_MORE_SOURCES = "and {count} more"
HOME_NEVER_READ = "not read yet"
HOME_READING_NOW = "being read now"
HOME_LAST_FAILED = "the last reading failed"

# What can be done with an answer
MENU_SHARE = "Share with the channel"
MENU_KEEP = "Keep it"
MENU_PURPOSES = {
    "regenerate": "Try again",
    "shorter": "Shorter",
    "detail": "More detail",
    "why": "Why this answer?",
    "escalate": "Ask a person",
}
NOT_YOURS = "Only the person who asked, or an admin, can have this answer made again. You can ask me yourself."
ANSWER_GONE = "I don't have that answer any more."
AT_IT = "I'm at it already."
CHOSEN_ALREADY = "That was answered already."

# Why this answer
FORM_CLOSE = "Close"
WHY_TITLE = "Why this answer?"
WHY_LOADING = "Looking it up…"
WHY_GONE = "I don't have that answer any more, so I can't say."
WHY_UNDERSTOOD = "What I understood"
WHY_NO_QUESTION = "The question is not kept any more."
WHY_ESTIMATE = "How sure I was"
WHY_APPROVED = "A person approved this text as the answer to such questions; I did not write it anew."
WHY_REASONS = {
    "meaning": "means something similar",
    "words": "has the same words",
    "both": "means something similar and has the same words",
}
# The usual source needs no word.
WHY_TRUST = {"official": "official source", "usual": "", "informal": "informal source"}
WHY_SOURCE_CHANGED = "the document was changed since"
WHY_SOURCE_GONE = "the document is not there any more"
WHY_NO_SYNC = "No source of these passages was read to the end yet."

# A deleted question
FORGOT_DONE = "You deleted your question, and all that came of it is gone now, here and in my memory."

# Shared, kept, asked of a person
SHARED = "Shared with everybody here."
SHARED_ALREADY = "That answer is shared already."
SHARE_PRIVATE = (
    "I can't share that one: it stands on documents that not everybody in this channel may read. "
    "You can keep it for yourself instead."
)
NOT_YOUR_ANSWER = "Only the person who asked can do that."
KEPT = "Kept: you'll find it in our direct messages."
KEPT_ALREADY = "You have it in our direct messages already."
SOMETHING_WRONG = "Sorry, that didn't work. Please try again in a moment."
NOBODY_TO_ASK = (
    "Nobody is named yet who could help here. An admin can name a person or a channel in the settings of this channel, "
    "or with escalate_to in the slack part of my settings file."
)
ASKED_ALREADY = "I have asked a person about this already."
ASKED_A_PERSON = "Done: I asked for a person to help."
ESCALATION_ASKS = " was asked to help with this question"
ESCALATION_WANTS = " would like a person's help with this question"
ESCALATION_RESOLVE = "Resolve"
ESCALATION_THREAD = "Go to the conversation"
ESCALATION_NO_QUESTION = "(the question is not kept any more)"
ESCALATION_NOT_YOURS = "Only who asked, who was asked, or an admin can resolve this."

# Standing answers
CURATE_OPEN = "Approve as the standing answer"
CURATE_TITLE = "Standing answer"
CURATE_SEND = "Approve"
CURATE_NOTE = (
    "Where this question is asked again, in these or other words, this text comes first, marked with your name."
)
CURATE_QUESTION = "Question"
CURATE_QUESTION_HINT = "Write it so that it can be understood by itself."
CURATE_TEXT = "Answer"
CURATE_TEXT_HINT = "[1] points to the first source. The answer rests as soon as one of its sources changes."
CURATE_MISSING = "Please write something here."
CURATE_NOT_NOW = "This answer can't be approved any more, or not by you."
CURATE_SEVERAL_AUDIENCES = (
    "This answer stands on documents of several groups of people, so there is nobody whom I could give it to again."
)
CURATE_TOO_LONG = "This answer is too long to be approved. Ask for a shorter one first."
CURATE_DONE = "Approved. Where this is asked again, your answer comes first."
APPROVED_BY_SOMEBODY = "Approved by an admin"


def failed(reference: str) -> str:
    """Say that no answer could be made, with the id under which the log has the reason."""
    return (
        "Sorry, something went wrong on my side and I couldn't finish this answer. Please try again. "
        f"(Reference: {reference})"
    )


def waiting(ahead: int) -> str:
    """Say how many questions are answered first."""
    if ahead <= 0:
        return "You're next…"
    return "About 1 question ahead of yours…" if ahead == 1 else f"About {ahead} questions ahead of yours…"


def question_too_long(length: int, limit: int) -> str:
    """Say that a question was refused for its length."""
    return f"That's {length:,} characters, more than the {limit:,} I can read at once. Could you shorten it?"


def documents(count: int) -> str:
    """Count documents."""
    return "1 document" if count == 1 else f"{count:,} documents"


def unreadable(count: int) -> str:
    """Count documents that could not be read."""
    return "1 could not be read" if count == 1 else f"{count:,} could not be read"


def last_read(when: datetime, now: datetime) -> str:
    """Say when a source was last read."""
    return f"read {_ago(now - when)}"


def next_read(when: datetime, now: datetime) -> str:
    """Say when a source is read next."""
    return f"next {_in(when - now)}"


def runs_line(went_well: Sequence[bool]) -> str:
    """Say how the latest runs over a source went; given are the newest first."""
    runs, failed = len(went_well), sum(not one for one in went_well)
    if not failed:
        return "" if not runs else "The last run went well" if runs == 1 else f"The last {runs} runs went well"
    all_of_them = "The last run" if runs == 1 else f"All of the last {runs} runs"
    which = all_of_them if failed == runs else f"{failed} of the last {runs} runs"
    return f"{which} failed: lorekeeper sources runs says why"


def model_line(version: str) -> str:
    """Name the version that answers."""
    return f"Answering with {version}"


def why_estimate(outcome: str, support: float, threshold: float | None) -> str:
    """Say how far the passages seemed to answer the question, and what would have been enough."""
    sure = f"My estimate that these passages answer the question: {support:.0%}"
    enough = "" if threshold is None else f"; below {threshold:.0%} I don't answer"
    said = "." if outcome != "abstained" else ". That was not enough, so I gave no answer."
    return f"{sure}{enough}{said}"


def why_passages(count: int) -> str:
    """Introduce the passages."""
    return {0: "I found no passage that you may read", 1: "The passage I looked at"}.get(
        count, f"The {count} passages I looked at"
    )


def why_hidden(count: int) -> str:
    """Count the passages that are not shown."""
    return f"{'1 passage is' if count == 1 else f'{count} passages are'} not shown: not for you, or gone since."


def why_cited(number: int | None) -> str:
    """Say whether the answer stands on a passage."""
    return "not used in the answer" if number is None else f"used in the answer as [{number}]"


def why_scores(score: float, cosine: float, word_score: float, prior: float) -> str:
    """Give a passage's scores."""
    added = f", age and source {prior:+.2f}" if abs(prior) >= 0.005 else ""
    return f"score {score:.2f} (meaning {cosine:.2f}, words {word_score:.2f}{added})"


def why_age(modified_at: datetime | None, synced_at: datetime | None, now: datetime) -> str:
    """Say how old a document is, and when it was last read."""
    changed = f"changed {_ago(now - modified_at)}" if modified_at else ""
    return ", ".join(filter(None, (changed, f"read {_ago(now - synced_at)}" if synced_at else "")))


def why_times(retrieve: float, first: float, total: float) -> str:
    """Say where the time went."""
    return f"Searched for {retrieve:.1f} s, first word after {first:.1f} s, finished after {total:.1f} s"


def why_tokens(prompt: int, completion: int) -> str:
    """Say how much was read and written."""
    return f"Read {prompt:,} tokens and wrote {completion:,}"


def why_sync(when: datetime | None, now: datetime) -> str:
    """Say how fresh the sources are."""
    return WHY_NO_SYNC if when is None else f"Sources last read to the end {_ago(now - when)}"


def why_revisions(count: int) -> str:
    """Say how often an answer was made again."""
    return {0: "Never made again", 1: "Made again once"}.get(count, f"Made again {count} times")


def forgot(removed: Mapping[str, int]) -> str:
    """Say in numbers what went with a deleted question; the names are those of `bot.forgetting.Removed`."""
    names = {
        "messages": ("message of mine", "messages of mine"),
        "turns": ("thing that was said", "things that were said"),
        "answers": ("answer", "answers"),
        "earlier_texts": ("earlier text of it", "earlier texts of it"),
        "citations": ("citation", "citations"),
        "passages": ("note of a passage", "notes of passages"),
        "votes": ("vote", "votes"),
        "corrections": ("correction", "corrections"),
        "requests": ("request for a person", "requests for a person"),
        "approved": ("standing answer", "standing answers"),
        "notes": ("saved note", "saved notes"),
    }
    parts = [f"{count} {names[name][count != 1]}" for name, count in removed.items() if count]
    return f"You deleted your message, so this went with it: {', '.join(parts)}." if parts else FORGOT_DONE


def shared(question: str) -> str:
    """Introduce an answer that was shared."""
    return f"Shared. The question was: {question}" if question else "Shared."


def resolved(name: str) -> str:
    """Say by whom a request for a person was resolved."""
    return f"✅ Resolved by {name}" if name else "✅ Resolved"


def approved_as(name: str, when: datetime) -> str:
    """Say who approved an answer and when, as it is kept and shown."""
    return f"{name or 'an admin'} on {when.day} {when:%B %Y}"


def approved(by: str) -> str:
    """Mark an answer that a person approved; `by` is what `approved_as` made."""
    return APPROVED_BY_SOMEBODY if by == "?" else f"✅ Approved by {by}"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one document says."""

    n: int
    title: str
    source: str
    dated: str
    """ISO 8601; empty where nobody knows."""
    value: str


def day(when: date) -> str:
    """Write a day."""
    return f"{when.day} {when:%B %Y}"


def citation_facts(trust: str, owner: str, dated: str) -> str:
    """Say how official a document is, who answers for it and how old it is; empty where none of it is known."""
    official = "official" if trust == "official" else ""
    known = (official, _short(owner, _LONGEST_OWNER), day(date.fromisoformat(dated)) if dated else "")
    return " · ".join(filter(None, known))


def disagreement(claims: Sequence[Claim]) -> str:
    """Say who says what, the preferred document first."""
    titles = [_short(claim.title, _LONGEST_CLAIMANT) or UNTITLED for claim in claims]
    years = [claim.dated[:4] for claim in claims if claim.dated]
    said = []
    for claim, title in zip(claims, titles, strict=True):
        name = f"{title} in {_short(claim.source, _LONGEST_OWNER)}" if titles.count(title) > 1 else title
        exact = day(date.fromisoformat(claim.dated)) if claim.dated else ""
        when = claim.dated[:4] if len(set(years)) == len(years) else exact
        said.append(f"{name}{f' ({when})' if when else ''} says {_short(claim.value, _LONGEST_CLAIMANT)} [{claim.n}]")
    return f"⚠️ My sources disagree: {'; '.join(said)}."


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most].rstrip()}…"


def stale(newest: date, count: int) -> str:
    """Say of when the newest document is that an answer stands on, where that is long ago."""
    what = "The source of this" if count == 1 else "The newest source of this"
    return f"🕰️ {what} is of {day(newest)}; it may be out of date."


def given_before(when: datetime) -> str:
    """Say that an answer was not written anew."""
    return f"♻️ From my answer of {day(when)}; what it stands on has not changed. “Try again” writes a new one."


def why_given_before(when: datetime) -> str:
    """Say why an answer was not written anew."""
    return (
        f"I wrote this text on {when.day} {when:%B %Y} for a question that asked the same, before the same readers, "
        "and the same sentences of the same documents speak to it today."
    )


def curate_audience(audience: str) -> str:
    """Say who will get a standing answer, by the document audience of what it stands on."""
    kind = audience.partition(":")[0]
    who = {"channel": "the members of the channel whose documents it stands on", "person": "you alone"}
    return f"Who gets this answer: {who.get(kind, 'everybody in this workspace')}."


def _ago(span: timedelta) -> str:
    text = _span(span)
    return f"{text} ago" if text else "just now"


def _in(span: timedelta) -> str:
    text = _span(span)
    return f"in {text}" if text else "now"


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    for size, name in ((60 * 24, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return ""


# Installing in a browser
INSTALLED_TITLE = "Lorekeeper is installed"
INSTALLED = "It works in {team} now. Write to it directly, or invite it to a channel and mention it."
OPEN_SLACK = "Open Slack"
NOT_INSTALLED_TITLE = "Lorekeeper was not installed"
INSTALL_AGAIN = "Try again"
INSTALL_CANCELLED = "The installation was cancelled. Nothing was changed."
INSTALL_OTHER_BROWSER = (
    "This installation was begun in another browser, or cookies are switched off. Please begin again."
)
INSTALL_TOO_LATE = "This link was used before, or is older than ten minutes. Please begin again."
INSTALL_REFUSED = "Slack did not confirm the installation. Please begin again."
INSTALL_WHOLE_ORGANISATION = (
    "Lorekeeper keeps each workspace's knowledge apart, so it is installed in one workspace at a time. Please choose a "
    "workspace instead of the whole organisation."
)
INSTALL_SLACK_SILENT = "Slack does not answer just now. Please try again in a minute."
INSTALL_FAILED = "Something went wrong on our side. Please try again, and tell your administrator if it happens again."


# The gate: who is not answered, and why
READERS_CHANGED = (
    "While I was answering, what I found stopped being readable for everybody here. Please ask again in a moment."
)
GATE_DISABLED = "I'm switched off in this channel. You can write to me directly; an admin can switch me on again."
GATE_NOT_LISTED = "This channel is not among those that I may answer in. Please write to me directly."
GATE_STRANGER = (
    "I answer the people of this organisation only, so I can't answer you here. An admin can open single channels to "
    "others."
)
GATE_GUEST = "I don't answer guests of this workspace here. An admin can open single channels to guests."
GATE_UNKNOWN_PERSON = (
    "Slack doesn't tell me just now whether you are a member of this workspace, so I'd rather not answer. Please try "
    "again in a minute; if it stays like this, an admin should check my permissions."
)
GATE_UNKNOWN_PLACE = (
    "Slack doesn't tell me just now who reads along in this channel, so I'd rather not answer here. Please try again "
    "in a minute, or write to me directly."
)


def asked_too_much(limit: int, *, per_minute: bool, wait: timedelta) -> str:
    """Say that somebody reached a limit, and when the next question is welcome."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    when = f"in {seconds} s" if seconds < 60 else _in(timedelta(seconds=seconds + 59))
    window = "a minute" if per_minute else "a day"
    return f"I answer up to {limit:,} questions {window} for each person. Please ask again {when}."


def forgotten(turns: int, votes: int, notes: int) -> str:
    """Say what was removed of a person who asked to be forgotten."""
    things = [(turns, "thing that was said", "things that were said"), (votes, "vote", "votes")]
    things.append((notes, "note", "notes"))
    said = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in things if count)
    return f"Done: I have forgotten you ({said})." if said else "Done: there was nothing that I kept of you."


def knows(documents_count: int, names: str) -> str:
    """Say what the bot knows, for the greeting."""
    return f"I know {documents(documents_count)} from {names}."


def named(names: Sequence[str], *, more: int = 0) -> str:
    """List names in a sentence: “a, b and c”, “a, b and 4 more”."""
    last = [f"{more} more"] if more else []
    *first, final = [*names, *last]
    return f"{', '.join(first)} and {final}" if first else final


def status_queue(waiting_count: int) -> str:
    """Say how many questions wait."""
    return {0: "No question is waiting", 1: "1 question is waiting"}.get(
        waiting_count, f"{waiting_count} questions are waiting"
    )


# Greeting, suggestions, leaving
GREETING = (
    "Hi, I'm Lorekeeper. Ask me in your own words, here or by mentioning me in a channel; I say where each answer "
    "comes from."
)
GREETING_EXAMPLES = "For example:"
GREETING_NO_SOURCES = (
    "I have no documents yet that you may read. As soon as an operator adds some, you can ask me about them."
)
PROMPTS_TITLE = "You could ask"
GOODBYE = "Fine, I'll be quiet in this thread. Mention me when you want me back."
SUGGEST_HEADING = "What does “{title}” say about {heading}?"
SUGGEST_TITLE = "What can you tell me about “{title}”?"

# The slash command
COMMAND_HELP = (
    "`/lore ask` and a question: an answer for you alone (the question without `ask` does as well)",
    "`/lore sources`: what I know, and how fresh it is",
    "`/lore sync`: read the sources again now, or one of them by its name (admins)",
    "`/lore status`: how I am doing",
    "`/lore config`: how I behave in this channel (admins)",
    "`/lore forget me`: forget everything I keep of you",
    "`/lore help`: this",
)
COMMAND_HELP_TITLE = "What I can do here:"
COMMAND_NO_QUESTION = "What would you like to know? Write your question after `/lore ask`."
COMMAND_NOT_KEPT = "Sorry, I couldn't take that in. Please try again in a moment."
COMMAND_ASKING = "Looking for an answer to: “{question}”"
COMMAND_ASKING_DIRECTLY = "I'm not in this conversation, so I answer you in our direct messages."
COMMAND_SYNC_ADMINS = (
    "Only admins can have the sources read now. They are read regularly anyway; `/lore sources` says when that was."
)
COMMAND_SYNC_UNKNOWN = "I have no source named “{name}”. `/lore sources` lists them."
COMMAND_SYNC_NONE = "There are no sources to read yet."
COMMAND_SYNC_UNABLE = "Sources cannot be read from here. An operator can do it with: lorekeeper sync"
COMMAND_SYNC_BEGUN = "Reading {what} now. I'll tell you in our direct messages how it went."
COMMAND_SYNC_AGAIN = "You asked for that already: I'll tell you in our direct messages how it went."
COMMAND_SYNC_ALL = "all sources"
STATUS_WORKING = "I'm here and working."
YOU_ASKED = "You asked: {question}"
FORGET_TITLE = "Forget me"
FORGET_CONFIRM = "Forget me"
FORGET_CANCEL = "Cancel"
FORGET_EXPLANATION = (
    "I will remove what you asked me and what I answered you, your votes and notes, and your settings. This cannot be "
    "undone. Messages in Slack are yours to delete."
)
FORGET_UNDER_WAY = "Thank you. I'm removing it now and will tell you in a moment."
FORGET_CLOSE = "Close"


# Delivery: while a question waits, while an answer grows, and what is too long
REST_FOLLOWS = "The rest of this answer is in the file below."
REST_TITLE = "The rest of the answer"


def waiting_for(ahead: int, seconds: float | None) -> str:
    """Say how many questions are answered first, and how long that takes where it was measured."""
    if seconds is None or ahead <= 0:
        return waiting(ahead)
    minutes = round(seconds / 60)
    span = "less than a minute" if seconds < 45 else "about a minute" if minutes <= 1 else f"about {minutes} minutes"
    return f"{waiting(ahead).removesuffix('…')}, {span}…"


# The form for one channel
ADMINS_ONLY = "Only admins of this workspace, and people whom my operator named, can change this."
CLOSE = "Close"
CHANNEL_FORM_TITLE = "Channel settings"
CHANNEL_FORM_ABOUT = "How I behave in"
CHANNEL_FORM_SAVE = "Save"
CHANNEL_FORM_SAVED = "✅ Saved for"
CHANNEL_FORM_NOTED = "It holds from the next question on. My home page shows who changed what, and when."
CHANNEL_FORM_SWITCHES_LABEL = "In this channel"
CHANNEL_FORM_SWITCHES = {
    "disabled": ("Switch me off here", "I stay silent and tell those who mention me why"),
    "ephemeral": ("Show answers to the asker alone", "They can share an answer with the channel"),
    "auto_answer": ("Answer questions nobody put to me", "Only where I am as sure as set below"),
    "allow_external": ("Answer guests and other organisations", "They then read all that every member here may read"),
}
CHANNEL_FORM_SOURCES = "What I look into"
CHANNEL_FORM_ALL_SOURCES = "Everything that this channel may read"
CHANNEL_FORM_SOME_SOURCES = "Only these sources"
CHANNEL_FORM_SOURCES_CHOOSE = "Choose sources"
CHANNEL_FORM_SOURCES_HINT = "A choice narrows what I look into. It never shows the channel more than it may read."
CHANNEL_FORM_SOURCES_NONE = "There is no source yet that this channel may read."
CHANNEL_FORM_BOTH = "You also chose single sources below: please clear them, or look into only these."
CHANNEL_FORM_NOT_HERE = "Direct messages have no such settings. Please use this in a channel, or on my home page."
CHANNEL_FORM_NO_SOURCE = "Please choose a source, or let me look into everything."
CHANNEL_FORM_FOLLOW_UPS_LABEL = "Follow-up questions in a thread, without a mention"
CHANNEL_FORM_FOLLOW_UPS = {
    "asker": "From the person who asked",
    "anyone": "From anybody in the thread",
    "mention": "None: I answer only where I'm mentioned",
}
CHANNEL_FORM_CONFIDENCE = "How sure I must be to answer unasked, in per cent"
CHANNEL_FORM_CONFIDENCE_HINT = "From 50 to 100. It matters only where I answer questions that nobody put to me."
CHANNEL_FORM_CONFIDENCE_WRONG = "Please give a whole number from 50 to 100."
CHANNEL_FORM_INSTRUCTIONS = "Tone and instructions"
CHANNEL_FORM_INSTRUCTIONS_EXAMPLE = "Answer in one or two friendly sentences."
CHANNEL_FORM_INSTRUCTIONS_LONG = "Please keep this below 1,000 characters."
CHANNEL_FORM_PERSON = "Whom I ask when my answer does not do: a person"
CHANNEL_FORM_PERSON_CHOOSE = "Choose a person"
CHANNEL_FORM_CHANNEL = "… or a channel"
CHANNEL_FORM_CHANNEL_CHOOSE = "Choose a channel"
CHANNEL_FORM_ESCALATE_HINT = "Choose one of the two, or none."
CHANNEL_FORM_ESCALATE_ONE = "Please choose a person or a channel, not both."

# Shortcuts
SHORTCUT_NOT_A_MEMBER = "I'm not in this conversation. Invite me first, then I can read it."
SHORTCUT_BOTS = "That message is not a person's. I answer what people ask."
SHORTCUT_NO_WORDS = "There are no words in that message that I could answer."
SHORTCUT_KNOWN = "I have been asked that message already; my answer is in its thread, or on its way."
SHORTCUT_ANSWERING = "I'm answering in the thread."
SHORTCUT_UNREADABLE = "Slack didn't let me read that thread just now. Please try again in a minute."
SUMMARY_TITLE = "*What was said in this thread*"
SUMMARY_QUOTES_TITLE = "*The messages that say most in this thread*"
SUMMARY_EMPTY = "There is nothing in this thread that I could sum up."
SAVE_TITLE = "Save as knowledge"
SAVE_SEND = "Suggest"
SAVE_CANCEL = "Cancel"
SAVE_NOTE_TITLE = "Title"
SAVE_NOTE_TEXT = "What should I know?"
SAVE_NOTE_HINT = "An admin reviews it before I use it."
SAVE_DONE = "Thank you. An admin reviews “{title}” before I use it."
SAVE_KNOWN = "This message was saved before, and an admin has decided about it already."
SAVE_GONE = "That message or its file was deleted meanwhile, so I saved nothing."
SAVE_NOTHING = "There was nothing to save: please write down what I should know."
SAVE_READERS = "Who may read it?"
SAVE_READERS_HINT = "Only they get it in answers, and the admin who reviews it is one of them."
SAVE_READERS_CHOOSE = "Choose who"
SAVE_EVERYONE = "Everyone in the workspace"
SAVE_HERE = "Everyone in this conversation"
SAVE_NOT_THERE = (
    "Nothing was saved: the channel that you chose is not one that you and I are both in now. Save it again, please."
)

# Files to keep as knowledge
KEEP_FILES = "Keep it as knowledge"
KEEP_FILES_TITLE = "Keep as knowledge"
KEEP_NOTE_TEXT = "Anything to add?"
KEEP_GONE = "I don't know that file any more. Share it with me again, please."
FILE_ALONE = (
    "I've read {named}. Ask me about {it} in this thread. Only you and I know {it} so far: the button below is for "
    "keeping {it} as knowledge for others."
)
FILES_TOGETHER = "together with the other files it is more than I read at a time. Share it by itself."
FILE_KINDS = "text, Markdown, HTML, PDF, Word, PowerPoint, Excel, CSV, e-mails, EPUB and notebooks"
FILE_KIND = f"that kind of file is not one that I can read. I read {FILE_KINDS}."
FILE_LOCKED = "it is locked with a password, or of a very old kind. Save a copy without one, and share that."
FILE_NO_TEXT = "there is no text in it, only pictures. Run text recognition on it first, and share the result."
FILE_TOO_MUCH = "it takes too long to read. Split it, and share the parts."
FILE_DAMAGED = "it seems to be damaged. Open it, save it again, and share the new copy."
FILE_MISSING = "Slack doesn't let me read it, or it is not there any more."
FILES_WAITING = "too many of your files wait for an admin already. Try again once some have been reviewed."


def file_size(size: int) -> str:
    """Say how large a file is."""
    if size < 1_000_000:
        return f"{max(1, round(size / 1_000)):,} kB"
    return f"{size / 1_000_000:.1f} MB"


def file_too_large(size: int, most: int) -> str:
    """Say that a file is larger than is read."""
    return f"it has {file_size(size)}, and I read files of up to {most // 1_000_000} MB. Split it, and share the parts."


def file_alone(names: Sequence[str]) -> str:
    """Say what can be done with files that came without a word."""
    listed = ", ".join(f"“{name}”" for name in names)
    return FILE_ALONE.format(named=listed, it="it" if len(names) == 1 else "them")


def files_kept(title: str, names: Sequence[str]) -> str:
    """Say that files wait for a review now."""
    listed = ", ".join(f"“{name}”" for name in names)
    counted = "Its file" if len(names) == 1 else "Its files"
    return f"{SAVE_DONE.format(title=title)} {counted}: {listed}."


def files_not_kept(problems: Mapping[str, str]) -> str:
    """Say which files cannot be kept, and why."""
    return "\n".join(f"I couldn't keep “{name}”: {why}" for name, why in problems.items())


def members_of(channel: str) -> str:
    """Name the members of a channel as readers."""
    return f"The members of #{channel}"


ASK_TITLE = "Ask Lorekeeper"
ASK_SEND = "Ask"
ASK_QUESTION = "Your question"
ASK_HINT = "The answer comes as a direct message."
ASK_NO_QUESTION = "Please write a question."


# The home page: one person's own settings and data
HOME_FOR_ADMINS = "For admins"
HOME_BACK = "Back to my page"
SETTINGS_TITLE = "How I answer you"
SETTINGS_LANGUAGE_AS_ASKED = "In the language of the question"
SETTINGS_LENGTHS = {"short": "Short answers", "normal": "Normal answers", "detailed": "Detailed answers"}
SETTINGS_SWITCHES = {
    "memory": ("Remember my conversations", "Off: found nowhere else, and removed a day after a thread went quiet"),
    "tuning": ("My words may be used for tuning", "Off until you switch it on; you can switch it off again"),
}
SETTINGS_TUNING_NOTICE = (
    "Votes count whatever is set here. Your own words are used for tuning only where you allow it and this bot's "
    "operator has switched that on; they stay on this team's own machine."
)
SETTINGS_SAVED = "✅ Saved."
SETTINGS_NOT_SAVED = "⚠️ That was not saved. Please choose again."
DATA_TITLE = "Your data"
DATA_INTRODUCTION = (
    "What I keep about you: your questions, my answers to you, what you asked me to remember, your votes and these "
    "settings."
)
DATA_SEE = "See it"
DATA_EXPORT = "Export it"
DATA_DELETE = "Delete it"
DATA_KEPT = "This is what I keep about you:"
DATA_NOTHING = "I keep nothing about you."
DATA_LAST_QUESTIONS = "What you asked last:"
DATA_REMEMBERED = "What you asked me to remember:"
DATA_FORGET_ONE = "Forget"
DATA_MORE_REMEMBERED = "…and {count} more; what I was told first is shown once you forget some of these."
DATA_EXPORT_FILE = "What Lorekeeper keeps about you"
DATA_EXPORTED = "✅ I sent you a file with all of it as a direct message."
DATA_EXPORT_FAILED = "⚠️ I could not send you the file just now. Please try again in a minute."
DATA_DELETE_TITLE = "Delete your data"
DATA_DELETE_QUESTION = (
    "I remove your questions, my answers to you, your votes and corrections, what you saved as knowledge, and these "
    "settings, for ever. Messages in Slack stay: you can delete your own there. Questions that wait are withdrawn."
)
DATA_DELETE_CONFIRM = "Delete all"
DATA_DELETED = "It is gone. Removed:"
DATA_DELETED_NOTE = "How long answers took stays, without words and without your name."
DATA_KINDS = {
    "turns": ("thing that was said", "things that were said"),
    "answers": ("answer", "answers"),
    "citations": ("citation", "citations"),
    "feedback": ("vote", "votes"),
    "votes": ("vote", "votes"),
    "corrections": ("correction", "corrections"),
    "inbox": ("event", "events"),
    "questions_waiting": ("question that waited", "questions that waited"),
    "revisions": ("earlier text of an answer", "earlier texts of answers"),
    "answer_revision": ("earlier text of an answer", "earlier texts of answers"),
    "approved": ("standing answer", "standing answers"),
    "curated": ("standing answer", "standing answers"),
    "notes": ("saved note", "saved notes"),
    "saved_note": ("saved note", "saved notes"),
    "signals": ("sign that an answer was used", "signs that answers were used"),
    "signal": ("sign that an answer was used", "signs that answers were used"),
    "settings": ("setting", "settings"),
    "person": ("setting", "settings"),
    "answer_part": ("further message of an answer", "further messages of answers"),
    "channel": ("channel whose settings you changed", "channels whose settings you changed"),
    "channel_message": ("message in a channel that is a source", "messages in channels that are sources"),
    "documents": ("document with your messages", "documents with your messages"),
    "left_thread": ("thread that you sent me out of", "threads that you sent me out of"),
    "escalation": ("request for a person", "requests for a person"),
}


def data_count(kind: str, count: int) -> str:
    """Count rows of one kind that are kept of a person."""
    one, many = DATA_KINDS.get(kind, (f"entry of {kind}", f"entries of {kind}"))
    return f"1 {one}" if count == 1 else f"{count:,} {many}"


def export_by_operator(user: str) -> str:
    """Say how a person gets their data where the bot may send no files."""
    return f"⚠️ I may not send files here. Whoever runs me can write it all into one with: lorekeeper export {user}"


# What was said before
EARLIER_OWN = "From your earlier thread"
EARLIER_HERE = "From an earlier thread here"
REMEMBERED_OWN = "You asked me to remember this"
REMEMBERED_HERE = "Remembered in this channel"
REMEMBERED_CHANNEL = "Remembered in one of your channels"
REMEMBER_ALONE = "I will remember that for you. You see and delete what I remember on my Home page, under “See it”."
REMEMBER_HERE = (
    "I will remember that for everybody in this channel. You see and delete what I remember of you on my Home page, "
    "under “See it”."
)
REMEMBER_OFF = (
    "You switched off that I remember your words, so I do not keep this. On my Home page you can switch it on again."
)


def remember_too_long(most: int) -> str:
    """Refuse to remember a long text."""
    return f"That is too long to remember: at most {most:,} characters. Save it as knowledge instead."


# What lies on the table
CONTEXT_THREAD = "This thread"
CONTEXT_CHANNEL = "This channel"


def unread_files(problems: Mapping[str, str]) -> str:
    """Say which attachments could not be read, and why."""
    return "\n".join(f"I couldn't read “{name}”: {why}" for name, why in problems.items())


def too_many_files(read: int) -> str:
    """Say that only the first attachments were read."""
    return f"I read the first {read} files only."


# The home page: the admins' side
GOOD_ANSWERS = "Good answers"
BAD_ANSWERS = "Bad answers"
ADMIN_TITLE = "For admins"
ADMIN_INTRODUCTION = (
    "Only admins see this side. Sources, documents, questions and notes that you may not read yourself are counted "
    "here, and not named."
)
ADMIN_PARTS = {
    "sources": "Sources",
    "readers": "Access",
    "answers": "Answers",
    "questions": "Unanswered",
    "review": "Review",
    "channels": "Channels",
}
ADMIN_GONE = "⚠️ That is not there any more, or somebody else was faster."
ADMIN_SYNC_TITLE = "What I read"
ADMIN_SYNC_NOW = "Read now"
ADMIN_PAUSE = "Pause"
ADMIN_RESUME = "Resume"
ADMIN_EARLIER = "Sources before these"
ADMIN_LATER = "More sources"
SOURCE_PAUSED = "paused"
ADMIN_HELD_RELEASE = "Let in"
ADMIN_HELD_DISCARD = "Discard"
ADMIN_QUEUE_TITLE = "Waiting line"
ADMIN_VOTES_TITLE = "What people think of my answers"
ADMIN_QUESTIONS_TITLE = "Questions I did not answer well"
ADMIN_NO_QUESTIONS = "None that I know of."
ADMIN_WHY = {"abstained": "not found in my sources", "bad": "👎"}
ADMIN_NOTES_TITLE = "Saved by the team, to review"
ADMIN_NO_NOTES = "Nothing waits for a review."
ADMIN_NOTE_BY = "Saved by"
ADMIN_NOTE_DIRECT = "a direct message"
ADMIN_NOTE_FOR = "Readers:"
ADMIN_NOTE_EVERYONE = "everyone in the workspace"
ADMIN_NOTE_ONE = "one person"
ADMIN_NOTE_READ = "Read on"
ADMIN_NOTE_APPROVE = "Approve"
ADMIN_NOTE_REJECT = "Reject"
ADMIN_NOTE_APPROVED = "✅ Approved: I read it now, tell you when that is done, and it counts from then on."
ADMIN_NOTE_REJECTED = "✅ Rejected."
ADMIN_NO_FOLDER = "⚠️ I could not write it down. Whoever runs me finds the reason in my log."
ADMIN_CURATED_TITLE = "Standing answers"
ADMIN_NO_CURATED = "None yet. Approve an answer from its menu, under “Why this answer?”."
ADMIN_CURATED_REMOVE = "Remove"
ADMIN_CURATED_QUESTION = "I answer this question from my sources again."
ADMIN_CURATED_REMOVED = "✅ Removed."
ADMIN_CHANNELS_TITLE = "Channels"
ADMIN_CHANNELS_ABOUT = "Everywhere else I behave as my settings say. Choose a channel to have it otherwise there."
ADMIN_CHANNEL_CHOOSE = "Choose a channel to configure"
ADMIN_CHANNEL_EDIT = "Change"
ADMIN_CHANGED_BY = "changed by"
CHANNEL_FACTS = {
    "disabled": "switched off",
    "ephemeral": "answers for the asker alone",
    "auto_answer": "answers unasked questions",
    "allow_external": "open to others",
}


def ago(when: datetime, now: datetime) -> str:
    """Say how long ago something was."""
    return _ago(now - when)


def reading_soon(name: str) -> str:
    """Say that a source is read at once."""
    return f"✅ {name} is read within the next seconds. {READING_TOLD}"


def reading_now(name: str) -> str:
    """Say that a source is being read already."""
    return f"{name} is being read just now. {READING_TOLD}"


def reading_progress(name: str, done: int, total: int | None) -> str:
    """Say how far the reading of a source is."""
    if not done:
        return f"Reading {name}…"
    return f"Reading {name}… {done:,} so far" if total is None else f"Reading {name}… {done:,} of {max(done, total):,}"


def reading_done(name: str, counts: Mapping[str, int], failed: int, seconds: float, *, stopped: bool) -> str:
    """Say what the reading of a source came to."""
    said = [f"{count:,} {what}" for what, count in counts.items() if count]
    said += [f"{failed:,} could not be read (lorekeeper sources list tells why)"] if failed else []
    said = said or ["nothing has changed"]
    ended = " It was stopped early: the next reading goes on." if stopped else ""
    return f"{name} was read: {', '.join(said)}, {seconds:.1f} s.{ended}"


def reading_failed(name: str, problem: str) -> str:
    """Say why a source could not be read; `problem` is one of `READING_PROBLEMS`."""
    return f"{name} could not be read: {READING_PROBLEMS.get(problem, READING_PROBLEMS['fault'])} {READING_REASON}"


def readings_more(count: int) -> str:
    """Say how many sources are not listed."""
    return f"and {_sources(count)} more"


def readings_waiting(count: int) -> str:
    """Say how many sources come after that."""
    return f"{_sources(count)} more to read"


def readings_hidden(count: int, *, ended: bool) -> str:
    """Say how many sources are read that this person may not be told of."""
    state = "is done" if ended else "goes on"
    return f"Reading {_sources(count)} that you may not read yourself {state}."


READING_TOLD = "I tell you in our direct messages how it went."
READING_GONE = "A source that you wanted read is not there any more."
READING_PROBLEMS = {
    "away": "its place could not be reached.",
    "source": "its place did not let me, or not as it is set up.",
    "setup": "something that it needs is missing or does not fit.",
    "storage": "what was read could not be stored.",
    "fault": "something went wrong on my side.",
    "late": "it did not come to an end within a day.",
}
READING_REASON = "Whoever runs me finds the reason with: lorekeeper sources list"


def paused(name: str) -> str:
    """Say that a source is read no more by itself."""
    return f"✅ {name} is paused: I read it only when you press “{ADMIN_SYNC_NOW}”. What I know of it stays."


def resumed(name: str) -> str:
    """Say that a source is read by itself again."""
    return f"✅ {name} is read by itself again."


def admin_held(count: int, titles: Sequence[str]) -> str:
    """Say what is held of a source, and why."""
    them = "it" if count == 1 else "them"
    said = f"⚠️ {documents(count)} held back: more came at once than usual. Answers do not use {them} yet"
    return f"{said}{_among(titles, count)}"


def could_not_be_read(names: Sequence[str], count: int) -> str:
    """Name documents that could not be read."""
    return f"Could not be read (lorekeeper sources list says why): {_listed(names, count)}"


def _among(titles: Sequence[str], count: int) -> str:
    return f": {_listed(titles, count)}" if titles else "."


def _listed(names: Sequence[str], count: int) -> str:
    quoted = [f"“{name}”" for name in names]
    return named(quoted, more=count - len(names))


def release_question(name: str, count: int) -> str:
    """Ask before what is held is let in."""
    return f"{documents(count)} of {name}: answers use them from the next question on. Did you look at what is new?"


def discard_question(name: str, count: int) -> str:
    """Ask before what is held is forgotten."""
    return (
        f"{documents(count)} of {name}: I forget what I read. Nothing is deleted in the source itself; what stays "
        "there may be read and held again."
    )


def released(name: str, count: int) -> str:
    """Say that what was held is let in."""
    return f"✅ {documents(count)} of {name} let in: answers use them from now on."


def discarded(name: str, count: int) -> str:
    """Say that what was held is forgotten."""
    return f"✅ {documents(count)} of {name} forgotten."


def sources_shown(first: int, last: int, known: int) -> str:
    """Say which of the sources are shown."""
    return f"Sources {first:,} to {last:,} of {known:,}; those that need a look come first."


def hidden_sources(count: int) -> str:
    """Say how many sources are not listed, and why; or that there are none."""
    return HOME_NO_SOURCES if not count else f"{_sources(count)} more that you may not read."


def _sources(count: int) -> str:
    return "1 source" if count == 1 else f"{count:,} sources"


def admin_queue(queue: QueueState, now: datetime) -> str:
    """Say how the waiting line is, and how long answers take."""
    parts = [f"{queue.waiting:,} waiting, {queue.working:,} being answered"]
    parts += [f"the oldest arrived {_ago(now - queue.oldest)}"] if queue.oldest else []
    if queue.median_seconds is not None:
        parts.append(f"half of last week's answers took less than {max(0.1, queue.median_seconds):.1f} s")
    return "; ".join(parts) + "."


def admin_votes(good: int, bad: int) -> str:
    """Sum up the votes of the last weeks; also said in place of the picture."""
    if not good + bad:
        return "No votes in the last eight weeks."
    return f"In the last eight weeks: {good:,} × 👍 and {bad:,} × 👎, by week."


def threshold_line(value: float, setting: float, votes: int) -> str:
    """Say from which estimate on there is an answer, and what the votes did to it."""
    said = f"I answer only where my estimate that what I found holds the answer is {value:.2f} or more (of 1)"
    if not votes:
        return f"{said}, as it is set (answer.minimum_support)."
    counted = "1 vote" if votes == 1 else f"{votes:,} votes"
    return f"{said}. The setting is {setting:.2f}; {counted} moved it by {value - setting:+.2f}."


def admin_hidden(count: int) -> str:
    """Say how many are not shown."""
    return f"{count:,} more from places that you may not read."


def curated_facts(uses: int, *, stale: bool) -> str:
    """Say how a standing answer is doing."""
    used = "used once" if uses == 1 else f"used {uses:,} times"
    return f"{used}; its documents changed since, so it is not used now" if stale else used


def channel_facts(settings: ChannelSettings) -> str:
    """Sum up a channel's settings."""
    facts = [said for name, said in CHANNEL_FACTS.items() if getattr(settings, name)]
    facts += [f"{len(settings.sources)} chosen sources"] if settings.sources is not None else []
    facts += ["own instructions"] if settings.instructions else []
    facts += ["a person to ask"] if settings.escalate_to else []
    return ", ".join(facts) or "as everywhere"


# Who can see what
READERS_TITLE = "Who sees what"
READERS_DOCUMENT_LABEL = "Who can see a document?"
READERS_DOCUMENT_EXAMPLE = "Words of its title, for example: travel policy"
READERS_DOCUMENT_HINT = "Press Enter to look."
READERS_PERSON_LABEL = "What can a person see here?"
READERS_PERSON_CHOOSE = "Choose a person"
READERS_PERSON_HINT = "It shows what I may use when they ask me directly."
READERS_LIMITS = (
    "Only documents that you may read yourself are found and named; others are counted at most. Whoever runs me can "
    "look at all: lorekeeper sources readers and lorekeeper sources visible. My log notes each look."
)
READERS_LOOKING = "Looking…"
READERS_NONE = (
    "I know no document that you may read with these words in its title. What is held back, or for others alone, is "
    "not looked at."
)
READERS_MORE = "There are more of them. More words of the title find fewer."
READERS_EVERYONE = "Everyone in this workspace"
READERS_CHANNEL = ("The members of ", ", in that channel and each of them directly")
READERS_USERGROUP = ("The members of ", ", each of them directly")
READERS_NOBODY = "Nobody"
READERS_WHY = {
    "source": "Set for its whole source.",
    "document": "Set for this document or its folder.",
    "permissions": "As its source itself lists them.",
}
SEES_NOTHING_HERE = (
    "This person is no full member of this workspace, or Slack doesn't say so just now: I tell them of no document, "
    "except in channels that an admin opened to others."
)
SEES_DEACTIVATED = "This account is deactivated."
SEES_PERHAPS_MORE = (
    "⚠️ Slack didn't tell me in which channels this person is, so there may be more than is counted here. Try again in "
    "a minute."
)
SEES_TITLES = "Titles are shown only of documents that you may read yourself; all others are counted."
SEES_ELSEWHERE = "Sources that you may not read"


def readers_people(count: int) -> str:
    """Count the people whom a source lists for a document."""
    return f"{_people(count)}, each of them directly"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def readers_more(count: int) -> str:
    """Say how many people are not named."""
    return f" and {count:,} more"


def sees(documents_count: int) -> str:
    """Sum up what a person can see."""
    return f" can see {documents(documents_count)} here."


def sees_of_source(count: int, unnamed: int) -> str:
    """Count what a person can see of one source, and how much of it is not named."""
    if not unnamed:
        return documents(count)
    return (
        f"{documents(count)}, {'none' if unnamed == count else f'{count - unnamed:,}'} of which you may read yourself"
    )


def sees_more(sources: int, count: int) -> str:
    """Sum up the sources that are not listed."""
    return f"and {_sources(sources)} more with {documents(count)}"


def seen_by(people: int) -> str:
    """Say who can see a document that its source lists people for."""
    return "you alone" if people == 1 else f"{_people(people)}, you among them"


SEEN_BY = "Can be seen by "
SEEN_BY_EVERYONE = "everyone here"
SEEN_BY_YOU = "you alone"
SEEN_BY_MEMBERS = "the members of "
