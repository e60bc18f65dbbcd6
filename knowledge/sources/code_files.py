"""Which files of a folder or repository are source code or configuration, by name and by how they begin.

What programs wrote is left out: lock files, minified and generated code, and what was copied in from elsewhere.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

CODE_TYPE = "text/x-code; language="
"""The beginning of the media type of every code file; the language follows."""
_EXTENSIONS = {
    "bash": "sh bash zsh ksh",
    "c": "c h",
    "clojure": "clj cljs cljc",
    "cpp": "cc cpp cxx hh hpp hxx ino",
    "csharp": "cs",
    "css": "css scss less",
    "dart": "dart",
    "elixir": "ex exs",
    "erlang": "erl hrl",
    "go": "go",
    "graphql": "graphql gql",
    "groovy": "groovy gradle",
    "haskell": "hs",
    "java": "java",
    "javascript": "js mjs cjs jsx",
    "julia": "jl",
    "kotlin": "kt kts",
    "lua": "lua",
    "objectivec": "m mm",
    "perl": "pl pm",
    "php": "php",
    "powershell": "ps1 psm1",
    "protobuf": "proto",
    "python": "py pyi",
    "r": "r",
    "ruby": "rb rake",
    "rust": "rs",
    "scala": "scala sc",
    "sql": "sql",
    "swift": "swift",
    "terraform": "tf hcl",
    "typescript": "ts mts cts tsx",
    "vue": "vue svelte",
    "zig": "zig",
    "json": "json jsonc",
    "toml": "toml",
    "yaml": "yaml yml",
    "ini": "ini cfg conf properties",
}
_BY_EXTENSION = {f".{one}": language for language, some in _EXTENSIONS.items() for one in some.split()}
_BY_NAME = {
    "makefile": "make",
    "gnumakefile": "make",
    "dockerfile": "docker",
    "containerfile": "docker",
    "jenkinsfile": "groovy",
    "rakefile": "ruby",
    "gemfile": "ruby",
    "vagrantfile": "ruby",
}
CONFIGURATION = frozenset({"json", "toml", "yaml", "ini"})
# Longer ones hold data or were made by a program: nobody writes so much configuration by hand.
_MOST_CONFIGURATION_BYTES = 64 * 1024
_MOST_CODE_BYTES = 512 * 1024
_LOCK_NAMES = frozenset(
    "package-lock.json npm-shrinkwrap.json pnpm-lock.yaml packages.lock.json project.assets.json composer-lock.json "
    "pubspec.lock.yaml podfile.lock.yaml".split()
)
_MADE_NAME = re.compile(
    r"[.-]min\.\w+$|\.bundle\.js$|\.chunk\.js$|_pb2(?:_grpc)?\.pyi?$|\.pb\.(?:go|cc|h)$|\.g(?:r|\.\w+)?\.(?:dart|cs)$|"
    r"\.g\.(?:dart|cs)$|\.freezed\.dart$|\.designer\.cs$|[._-]generated\.\w+$|(?:^|[._-])lock\.(?:json|ya?ml|toml)$",
    re.IGNORECASE,
)
_COPIED_FOLDERS = frozenset(
    "vendor third_party bower_components site-packages dist build target __snapshots__ pods".split()
)
_HEAD_BYTES = 2_000
_MADE_MARK = re.compile(
    rb"@generated\b|code generated (?:by|from)\b|\bdo not (?:edit|modify)\b|<auto-?generated|"
    rb"(?:auto-?|automatically )generated (?:by|from|file)",
    re.IGNORECASE,
)
# Minified code has few, endless lines.
_LONGEST_LINE = 2_000
_LONGEST_MEAN = 200


def code_type_of(path: str) -> str | None:
    """The media type of a code file, by its path with forward slashes; None for all else and what programs made."""
    place = PurePosixPath(path)
    name = place.name.lower()
    language = _BY_NAME.get(name) or _BY_EXTENSION.get(place.suffix.lower())
    if language is None and name.startswith(("dockerfile.", "makefile.")):
        language = _BY_NAME[name.partition(".")[0]]
    if language is None or name in _LOCK_NAMES or _MADE_NAME.search(name):
        return None
    if any(part.lower() in _COPIED_FOLDERS for part in place.parts[:-1]):
        return None
    return CODE_TYPE + language


def language_of(media_type: str) -> str | None:
    """The language of a code file's media type; None for other types."""
    return media_type.removeprefix(CODE_TYPE) if media_type.startswith(CODE_TYPE) else None


def is_made_by_a_program(content: bytes, language: str) -> bool:
    """Tell whether a code file is generated, minified, or data, by its content."""
    most = _MOST_CONFIGURATION_BYTES if language in CONFIGURATION else _MOST_CODE_BYTES
    if len(content) > most or _MADE_MARK.search(content[:_HEAD_BYTES]):
        return True
    lines = content.split(b"\n")
    return max(map(len, lines)) > _LONGEST_LINE or (len(content) > 2_000 and len(content) / len(lines) > _LONGEST_MEAN)


def code_languages() -> frozenset[str]:
    """All languages that a file may be of."""
    return frozenset({*_BY_EXTENSION.values(), *_BY_NAME.values()})
