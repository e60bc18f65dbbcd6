"""Which language a text is in, where it is long enough to tell; the only module that knows py3langid.

The model of languages loads with the first text. Knows nothing of questions or answers.
"""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Those that teams write and language models speak; fewer choices make a short text easier to place.
NAMES: Final = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
# "lunch?" is a word of many languages: below this the text says nothing. Whole short questions are above .95.
_SURE = 0.9
_CHARACTERS = 600
# Words that only English has: where there are enough of them, nothing needs to be loaded.
_ENGLISH = frozenset("the who what when where why how which does did should could would and of with this that".split())
_ENGLISH_SHARE = 0.1
_WORD = re.compile(r"[a-z']+")
_loading = threading.Lock()


def detect_language(text: str) -> str:
    """Name a text's language, ISO 639-1; empty where the text is too short or mixed to tell."""
    said = " ".join(text.split())[:_CHARACTERS]
    if not said:
        return ""
    spoken = _WORD.findall(said.lower()) if said.isascii() else []
    if spoken and sum(word in _ENGLISH for word in spoken) >= _ENGLISH_SHARE * len(spoken):
        return "en"
    with _loading:
        language, probability = _identifier().classify(said)
    return str(language) if float(probability) >= _SURE else ""


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(NAMES))
    return identifier
