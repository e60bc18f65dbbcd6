"""How declarations look in each language: patterns for the beginning of a line, without strings and comments.

Rules, not grammars: they need a file that is indented as people do it. Where a rule misses, the lines stay with what
stands before them; nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ANY_DEPTH = 99
_NEVER = re.compile(r"(?!)")
# Lines that begin so, as far to the left as the declaration, still belong to it.
_BRACKETS = re.compile(r"\s*[{}()\]]")
_KEYWORD_ENDS = re.compile(
    r"\s*(?:[{}()\]]|(?:end|else|elsif|elif|elseif|rescue|ensure|catch|finally|after|do|done|then|begin|fi|esac)\b)"
)
_MARKS = re.compile(r"@|#\[|\[|template\s*<|#!\[")
_HASH = re.compile(r"[#;]")
# Also the type of what a function returns, on a line of its own.
_C_MARKS = re.compile(r"@|\[\[|template\s*<|(?!else\b|return\b|break\b)[\w*&:<>, ]+$")


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One way of declaring something."""

    regex: re.Pattern[str]
    """Its groups are joined to the name."""
    is_container: bool = False
    deepest: int = _ANY_DEPTH
    before_brace: bool = False
    """Only where the next line opens a brace."""
    refused: frozenset[str] = frozenset()
    """Words that make a line something else."""

    def match(self, line: str) -> str | None:
        """The name of what a line declares."""
        found = self.regex.match(line)
        if found is None:
            return None
        first = _FIRST_WORD.match(line)
        names = [part for part in found.groups() if part]
        if self.refused & {first.group(1) if first else "", *names}:
            return None
        return ".".join(names) if names else None


@dataclass(frozen=True, kw_only=True)
class Language:
    """How a language is read."""

    patterns: Sequence[Pattern]
    lexer: str = ""
    """What pygments calls it; empty: nothing in it can be mistaken for a declaration."""
    goes_on: re.Pattern[str] = _BRACKETS
    leads: re.Pattern[str] = _MARKS
    neutral: re.Pattern[str] = _NEVER
    """Lines that stand at the left wherever they are."""
    is_flat: bool = False
    """A declaration goes on to the next one."""


_FIRST_WORD = re.compile(r"\s*([\w$]+)")
_STATEMENTS = frozenset(
    "return else if for while switch case new throw await yield goto delete using import package try do default elif "
    "assert catch foreach lock typeof sizeof not and or in is export from var let const typedef".split()
)
_WORDS = r"(?:[\w-]+(?:\([^)]*\))?\s+)*?"
_NAME = r"([A-Za-z_$][\w$]*)"


def _holds(words: str, name: str = r"([\w$.:]+)", *, before: str = _WORDS) -> Pattern:
    return Pattern(regex=re.compile(rf"\s*{before}(?:{words})\s+{name}"), is_container=True)


def _does(words: str, name: str = r"([\w$.:?!]+)", *, before: str = _WORDS) -> Pattern:
    return Pattern(regex=re.compile(rf"\s*{before}(?:{words})\s+{name}"))


# `type name(...` that is no call and no statement; the type may be generic or a pointer.
_TYPED = Pattern(
    regex=re.compile(r"\s*(?:[\w:<>\[\],.*&?~@]+\s+)+[*&]*((?:[\w$]+::)*~?[\w$]+)\s*(?:<[^()]*>)?\((?!.*;\s*$)"),
    refused=_STATEMENTS,
)
_BRACED = Pattern(
    regex=re.compile(
        rf"\s*(?:(?:async|static|get|set|public|private|protected|override)\s+|\*\s*)*#?{_NAME}\s*(?:<[^()]*>)?\([^;]*\{{\s*$"
    ),
    refused=_STATEMENTS | {"function", "super", "this"},
)
_OLD_C = Pattern(regex=re.compile(rf"{_NAME}\s*\([^;{{}}]*$"), before_brace=True, refused=_STATEMENTS)
_ARROW = Pattern(
    regex=re.compile(
        rf"\s*(?:export\s+)?(?:default\s+)?(?:const|let|var)\s+{_NAME}\s*(?::[^=]+)?=\s*"
        r"(?:async\s*)?(?:function\b|\([^()]*$|\([^()]*\)\s*(?::[^=]+)?=>|[\w$]+\s*=>|(?:React\.)?(?:memo|forwardRef)\()"
    )
)
_SCRIPT = (
    _holds("class|interface|enum|namespace|module", _NAME),
    _does(r"function\s*\*?", _NAME),
    _ARROW,
    _does("type", _NAME + r"\s*(?:<.*>)?\s*=", before=r"(?:export\s+|declare\s+)*"),
    _BRACED,
)
_JAVA = (_holds("class|interface|enum|record|@interface|struct|namespace"), _TYPED, _BRACED)
_CPP = (
    _holds("class|struct|union|enum(?: class)?|namespace", r"([\w:]+)(?=[^;()]*(?:\{.*)?$)"),
    _TYPED,
    _BRACED,
    _OLD_C,
)
_C_NEUTRAL = re.compile(r"\s*#|\w+:\s*$")
_GO_METHOD = Pattern(regex=re.compile(r"func\s+\(\s*(?:\w+\s+)?\*?(\w+)(?:\[[^\]]*\])?\s*\)\s*(\w+)"))
_KEYS = r"([\w./@$-]+|\"[^\"]+\"|'[^']+')"


def _lines(*patterns: str, containers: Sequence[str] = (), **more: object) -> Language:
    found = [Pattern(regex=re.compile(one), is_container=True) for one in containers]
    found += [Pattern(regex=re.compile(one)) for one in patterns]
    return Language(patterns=found, **more)  # type: ignore[arg-type]


LANGUAGES: dict[str, Language] = {
    # Only for what Python's own parser does not take.
    "python": Language(
        patterns=(_holds("class", r"(\w+)", before=r""), _does("(?:async )?def", r"(\w+)", before="")), lexer="python"
    ),
    "javascript": Language(patterns=_SCRIPT, lexer="javascript"),
    "typescript": Language(patterns=_SCRIPT, lexer="typescript"),
    "vue": Language(patterns=_SCRIPT),
    "java": Language(patterns=_JAVA, lexer="java"),
    "csharp": Language(patterns=_JAVA, lexer="csharp", neutral=re.compile(r"\s*#")),
    "groovy": Language(patterns=(_holds("class|interface|enum|trait"), _does("def"), _TYPED, _BRACED), lexer="groovy"),
    "dart": Language(patterns=(_holds("class|mixin|enum|extension"), _TYPED, _BRACED), lexer="dart"),
    "c": Language(patterns=_CPP, lexer="c", leads=_C_MARKS, neutral=_C_NEUTRAL),
    "cpp": Language(
        patterns=_CPP, lexer="cpp", leads=_C_MARKS, neutral=re.compile(r"\s*#|\s*(?:public|private|protected|\w+):\s*$")
    ),
    "objectivec": Language(
        patterns=(
            Pattern(regex=re.compile(r"@(?:interface|implementation|protocol)\s+(\w+)"), is_container=True),
            Pattern(regex=re.compile(r"[-+]\s*\([^)]*\)\s*(\w+)")),
            *_CPP,
        ),
        lexer="objective-c",
        goes_on=re.compile(r"\s*[{}()\]]|@(?:end|property|optional|required)|[-+]\s*\("),
        neutral=_C_NEUTRAL,
    ),
    "go": Language(
        patterns=(_GO_METHOD, _does("func", r"(\w+)", before=""), _does("type", r"(\w+)", before="")), lexer="go"
    ),
    "rust": Language(
        patterns=(
            Pattern(regex=re.compile(r"\s*(?:unsafe\s+)?(impl\b[^{]*?)\s*(?:\{|where\b|$)"), is_container=True),
            _holds("trait|mod", r"(\w+)"),
            _does("fn|struct|enum|union|macro_rules!", r"(\w+)"),
        ),
        lexer="rust",
    ),
    "swift": Language(
        patterns=(
            _holds("class|struct|enum|protocol|extension|actor"),
            _does("func", r"([\w]+|[^\s\w(]+)"),
            Pattern(regex=re.compile(r"\s*(?:\w+\s+)*(init|deinit|subscript)\b[?!]?\s*[(<{]")),
        ),
        lexer="swift",
    ),
    "kotlin": Language(
        patterns=(
            _holds("class|interface|object", r"(\w+)"),
            Pattern(regex=re.compile(r"\s*(?:\w+\s+)*(companion object)\b"), is_container=True),
            _does("fun", r"(?:<[^>]*>\s*)?(?:\w+(?:<[^>]*>)?\.)?(\w+)"),
        ),
        lexer="kotlin",
    ),
    "scala": Language(patterns=(_holds("class|trait|object|enum"), _does("def", r"([^\s(:\[=]+)")), lexer="scala"),
    "php": Language(
        patterns=(_holds("class|interface|trait|enum", r"(\w+)"), _does("function", r"&?(\w+)")), lexer="php"
    ),
    "ruby": Language(
        patterns=(
            _holds("class|module", r"([\w:]+)", before=""),
            _does("def", r"([\w.?!=]+|[^\s\w(]+)"),
            Pattern(regex=re.compile(r"\s*(task|namespace)\s+:?(\w+)")),
        ),
        lexer="ruby",
        goes_on=_KEYWORD_ENDS,
    ),
    "elixir": Language(
        patterns=(
            _holds("defmodule|defprotocol|defimpl", before=""),
            _does("defp?|defmacrop?|defguardp?", r"([\w?!]+)", before=""),
        ),
        lexer="elixir",
        goes_on=_KEYWORD_ENDS,
    ),
    "julia": Language(
        patterns=(_holds("module|baremodule", before=""), _does("function|struct|macro", r"([\w.!]+)")),
        lexer="julia",
        goes_on=_KEYWORD_ENDS,
    ),
    "lua": Language(
        patterns=(
            _does("function", r"([\w.:]+)", before=r"(?:local\s+)?"),
            Pattern(regex=re.compile(r"\s*(?:local\s+)?([\w.]+)\s*=\s*function\b")),
        ),
        lexer="lua",
        goes_on=_KEYWORD_ENDS,
    ),
    "bash": Language(
        patterns=(
            Pattern(regex=re.compile(r"\s*(?:function\s+)?([\w.:-]+)\s*\(\s*\)")),
            _does("function", r"([\w.:-]+)", before=""),
        ),
        lexer="bash",
    ),
    "powershell": Language(
        patterns=(_holds("class", r"(\w+)", before=""), _does("function|filter", r"([\w:-]+)", before="")),
        lexer="powershell",
    ),
    "perl": Language(patterns=(_does("sub", r"([\w:]+)", before=""),), lexer="perl"),
    "r": _lines(r"\s*([\w.]+)\s*(?:<-|=)\s*function\b", lexer="r"),
    "haskell": _lines(
        r"([a-z_][\w']*)\s*::",
        r"(?:data|newtype|type|class|instance)\s+(.+?)\s*(?:=|where|$)",
        lexer="haskell",
        is_flat=True,
    ),
    "erlang": _lines(r"-spec\s+([\w:]+)", r"([a-z]\w*)\(.*->", lexer="erlang"),
    "clojure": _lines(r"\(def[\w-]*\s+(?:\^\S+\s+)*([^\s()\[\]]+)", lexer="clojure"),
    "zig": Language(
        patterns=(
            _does("fn", r"(\w+)"),
            Pattern(
                regex=re.compile(r"\s*(?:pub\s+)?const\s+(\w+)\s*=\s*(?:packed |extern )?(?:struct|enum|union)\b"),
                is_container=True,
            ),
        ),
        lexer="zig",
    ),
    "sql": _lines(
        r"(?i)\s*create\s+(?:or\s+replace\s+)?(?:\w+\s+)*?(?:table|view|function|procedure|index|trigger|type|schema)\s+"
        r"(?:if\s+not\s+exists\s+)?([\w.\"\[\]`]+)",
        r"(?i)(alter\s+table\s+[\w.\"]+)",
        lexer="postgresql",
        is_flat=True,
    ),
    "protobuf": _lines(
        r"\s*((?:enum|rpc|oneof)\s+\w+)", containers=(r"\s*((?:message|service)\s+\w+)",), lexer="protobuf"
    ),
    "graphql": _lines(r"((?:extend\s+)?(?:type|input|enum|interface|union|scalar|query|mutation|fragment)\s+\w+)"),
    "terraform": _lines(r"(\w+(?:\s+\"[^\"]+\")+)\s*\{", r"(locals|terraform)\s*\{", leads=_HASH),
    "css": _lines(r"(\S[^{;]*?)\s*\{\s*$"),
    "make": _lines(r"([\w./%$(){}-]+(?:\s+[\w./%$(){}-]+)*)\s*::?(?!=)", leads=_HASH),
    "docker": _lines(r"(?i)(from\s+.+)", leads=_HASH, is_flat=True),
    "toml": _lines(r"\[\[?\s*([^\]]+?)\s*\]", leads=_HASH, is_flat=True),
    "ini": _lines(r"\[\s*([^\]]+?)\s*\]", leads=_HASH, is_flat=True),
    "yaml": Language(
        patterns=(
            Pattern(regex=re.compile(rf"{_KEYS}:(?:\s|$)"), is_container=True),
            Pattern(regex=re.compile(rf"  {_KEYS}:(?:\s|$)"), deepest=1),
        ),
        goes_on=re.compile(r"\s*(?:- |-$|[\]}])"),
        leads=_HASH,
    ),
    "json": Language(
        patterns=(
            Pattern(regex=re.compile(r"(?: {2}| {4}|\t)\"([^\"]+)\"\s*:"), is_container=True, deepest=0),
            Pattern(regex=re.compile(r"(?: {4}| {8}|\t\t)\"([^\"]+)\"\s*:"), deepest=1),
        ),
    ),
}
