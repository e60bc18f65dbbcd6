"""Cuts Markdown passages and answers into the smallest pieces that can support, or be supported: sentences, list items,
table rows. Knows nothing of questions or models."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st vs etc e.g i.e eg ie no fig sec inc ltd co corp approx dept est jr sr al".split()
)
_BREAK = re.compile(
    r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\W_a-zß-ÿа-яёα-ω]|[\"'“‘(\[]?[#*_`])|(?<=[。！？])[”’」』）]*\s*(?=\S)"
)
# Kana, Chinese signs, Thai: no spaces between words.
_UNPARTED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_LIST_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s")
_TABLE_RULE = re.compile(r"^\s*\|?[\s:|-]+\|[\s:|-]*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
# Emphasis, but neither `code`, which stays readable as it is, nor the underscores of a_name.
_MARKUP = re.compile(r"(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)|\*{1,3}(?=\S)|(?<=\S)\*{1,3}|~~")
_WORD = re.compile(r"\w+(?:['’.-]\w+)*", re.UNICODE)

_LONGEST_LIST = 400
_MUCH = "many|much|long|old|often|far|high|big|large|late|soon"
_HOW_MUCH = re.compile(rf"\bhow (?:{_MUCH})\b", re.IGNORECASE)
_ASKING = re.compile(
    r"\b(?:what|how|why|describe|explain|who|whom|whose|when|where|which|is|are|was|were|do|does|did|can|may)\b",
    re.IGNORECASE,
)
_POLITELY = re.compile(
    r".*?\b(?:can|could|would|do) you (?:please )?(?:tell|give|show|explain|describe|know)(?: me| us)?\b", re.IGNORECASE
)
# So many words without a word that asks are a topic; fewer are what somebody answers with.
_TOPIC_WORDS = 4
_FEW_OF = "name|date|number|total|amount|price|cost|address|deadline|limit|size|title|version|code|phone|capital"
_FEW_WHAT = "year|date|day|month|time|number|percentage|share|amount|age|city|country|company|name|size"
_AT_LENGTH = re.compile(
    rf"""(?: why | describe | explain
    | how (?! \s(?:{_MUCH}|tall|deep|fast)\b)
    | what (?! \s(?:{_FEW_WHAT})\b | (?:\sis|\swas|'s)\s(?:the|our|my|your)\s(?:{_FEW_OF})\b)
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_NUMBER_WORDS = frozenset(
    """one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty hundred
    thousand million half quarter once twice daily weekly monthly yearly annually first second third fourth fifth sixth
    seventh eighth ninth tenth none nothing no unlimited always never every each""".split()
)
_NEGATIONS = frozenset(
    "not no never without cannot none nobody nothing neither nor non kein nicht ohne ni pas sans".split()
)

STOP_WORDS = frozenset(
    """a an the and or but nor so yet if then else than that this these those there here it its itself he him his she
    her hers they them their theirs we us our ours you your yours i me my mine myself who whom whose which
    what when where why how do does did done doing is are was were be been being am have has had having will
    would shall should can could may might must of in on at to from by for with about into over under again
    further up down out off as not no yes also any all some each both more most other such only own same too
    very just please tell know say said much many get got s t re ve ll d m don doesn didn isn aren wasn weren
    give show let lets want need like using use used""".split()
)


def plain(text: str) -> str:
    """Drop Markdown's link targets and emphasis marks; the words stay."""
    return _MARKUP.sub("", _LINK.sub(r"\1", text)).strip()


def split_sentences(markdown: str) -> list[str]:
    """Cut a text into plain sentences, list items and table rows, in order; headings and rules are left out.

    A list is also there as a whole with what leads to it, where both are short: "which" asks for all of its items.
    """
    pieces: list[str] = []
    for block in _blocks(markdown):
        introduction = pieces.pop() if block.is_list and pieces and pieces[-1].endswith(":") else ""
        if block.is_list and (whole := _whole_list(introduction or _last(pieces), block.texts)):
            pieces.append(whole)
        pieces += [piece for text in _with_sublists(block.texts) for piece in _split(text)]
    return pieces


def content_words(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order, without stop words."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


def words(text: str) -> list[str]:
    """Lower-case words of a text, accents folded; pairs of signs where a script does not part its words."""
    folded = text
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        folded = unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))
    found = (match.group().lower().replace("’", "'") for match in _WORD.finditer(folded))
    return [word for run in found for word in (_pairs(run) if _UNPARTED.search(run) else (run,))]


def is_negated(text: str) -> bool:
    """Tell whether a text says that something is not so."""
    return any(word in _NEGATIONS or word.endswith("n't") for word in words(text))


def asks_for_number(question: str) -> bool:
    """Tell whether a question wants to know how many or how much."""
    return bool(_HOW_MUCH.search(question))


def asks_at_length(question: str) -> bool:
    """Tell whether a question wants sentences, as "why", "how" and most of "what" do, and not a name, a day or a yes.

    A topic without a word that asks wants them, too. English only: of other languages it is a guess.
    """
    polite = _POLITELY.match(question)
    start = polite.end() if polite else 0
    asking = _ASKING.search(question, start)
    if asking is None:
        return polite is not None or len(question.split()) >= _TOPIC_WORDS
    return _AT_LENGTH.match(question, asking.start()) is not None


def names_number(text: str) -> bool:
    """Tell whether a text holds a number, in figures or as a word."""
    return any(any(sign.isdigit() for sign in word) or word in _NUMBER_WORDS for word in words(text))


def _pairs(run: str) -> Iterator[str]:
    yield from (run[start : start + 2] for start in range(max(1, len(run) - 1)))


def stem(word: str) -> str:
    """A light English stem: plural, -ing, -ed and -ly endings go, so that `deploys` meets `deployed`."""
    if not word.isalpha():
        return word.removesuffix("'s")
    for ending, least in (("ies", 3), ("ing", 4), ("edly", 4), ("ed", 4), ("ly", 4), ("es", 4), ("s", 3)):
        if word.endswith(ending) and len(word) - len(ending) >= least and not word.endswith("ss"):
            root = word[: -len(ending)]
            return root + "y" if ending == "ies" else root.removesuffix("e")
    return word.removesuffix("e") or word


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A paragraph or a table row, or the items of a list."""

    texts: tuple[str, ...]
    is_list: bool = False


def _blocks(markdown: str) -> Iterator[_Block]:
    items: list[str] = []
    for text, is_item in _lines(markdown):
        if is_item:
            items.append(text)
            continue
        if items:
            yield _Block(texts=tuple(items), is_list=True)
            items = []
        yield _Block(texts=(text,))
    if items:
        yield _Block(texts=tuple(items), is_list=True)


def _lines(markdown: str) -> Iterator[tuple[str, bool]]:
    """Paragraphs, table rows and list items, each with whether it is a list item."""
    paragraph: list[str] = []
    is_item = False
    for line in [*markdown.splitlines(), ""]:
        starts_new = not line.strip() or _LIST_ITEM.match(line) or _HEADING.match(line) or line.lstrip().startswith("|")
        if starts_new and paragraph:
            yield " ".join(paragraph), is_item
            paragraph = []
        if _HEADING.match(line) or _TABLE_RULE.match(line) or line.strip().startswith("```"):
            continue
        if line.lstrip().startswith("|"):
            first, *others = [cell.strip() for cell in line.strip().strip("|").split("|") if cell.strip()] or [""]
            yield f"{first}: {', '.join(others)}" if others else first, False
        elif line.strip():
            is_item = bool(_LIST_ITEM.match(line)) if not paragraph else is_item
            paragraph.append(_LIST_ITEM.sub("", line).strip())


def _whole_list(introduction: str, items: Sequence[str]) -> str:
    whole = f"{introduction} {'; '.join(plain(item) for item in items)}".strip()
    return whole if len(items) > 1 and len(whole) <= _LONGEST_LIST else ""


def _with_sublists(texts: Sequence[str]) -> Iterator[str]:
    """An item that only leads to the items below it ("Amounts:") stands with them."""
    for number, text in enumerate(texts, 1):
        below = "; ".join(takewhile(lambda item: not item.endswith(":"), texts[number:]))
        leads = text.endswith(":") and below and len(text) + len(below) < _LONGEST_LIST
        yield f"{text} {below}" if leads else text


def _last(pieces: Sequence[str]) -> str:
    return pieces[-1] if pieces else ""


def _split(block: str) -> Iterator[str]:
    text = plain(block)
    start = 0
    for match in _BREAK.finditer(text):
        before = text[start : match.start()].rstrip("\"'”’)]")
        last = before.rsplit(None, 1)[-1].lower().rstrip(".") if before.split() else ""
        if last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha()):
            continue
        yield text[start : match.end()].strip()
        start = match.end()
    if text[start:].strip():
        yield text[start:].strip()
