"""How many planted secrets does the scan find, and how much clean chat would it leave out?

Run: python -m tests.benchmarks.secret_scan ../shared/data

Planted: tokens made up from what their makers publish about their form, with a seed, in sentences as people write them.
Clean: turns of dstc11t5 and lines of the IRC set. Where detect-secrets is installed, it is measured beside.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import string
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from bot.learn.scan import find_secrets

Finds = Callable[[Sequence[str]], list[bool]]
"""Tells for each text whether it holds a secret."""

_SENTENCES = (
    "{}",
    "here you go: {}",
    "the new token is {} please rotate it on friday",
    "I pasted `{}` into the pipeline and it still says 403",
    'export TOKEN="{}"',
    "Does anybody know why {} does not work any more?",
)
_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"


def kinds(chance: random.Random) -> dict[str, Callable[[], str]]:
    """One maker of tokens for each kind."""

    def some(signs: str, count: int) -> str:
        return "".join(chance.choice(signs) for _ in range(count))

    def card() -> str:
        digits = [4, *(chance.randrange(10) for _ in range(14))]
        total = sum(d * 2 - 9 * (d > 4) if place % 2 == 0 else d for place, d in enumerate(reversed(digits)))
        return "".join(map(str, [*digits, -total % 10]))

    def iban() -> str:
        account = some(string.digits, 18)
        check = 98 - int(f"{account}131400") % 97
        return f"DE{check:02d}{account}"

    def jwt() -> str:
        parts = (
            {"alg": "HS256", "typ": "JWT"},
            {"sub": some(string.digits, 10), "name": some(string.ascii_letters, 9)},
        )
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join([*encoded, some(_ALNUM, 43)])

    upper_digits = string.ascii_uppercase + string.digits
    return {
        "aws access key": lambda: f"AKIA{some('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}",
        "aws secret key": lambda: f"aws_secret_access_key = {some(_ALNUM + '+/', 40)}",
        "github token": lambda: f"ghp_{some(_ALNUM, 36)}",
        "github fine-grained": lambda: f"github_pat_{some(_ALNUM, 22)}_{some(_ALNUM, 59)}",
        "gitlab token": lambda: f"glpat-{some(_ALNUM, 20)}",
        "slack bot token": lambda: f"xoxb-{some(string.digits, 12)}-{some(string.digits, 12)}-{some(_ALNUM, 24)}",
        "slack app token": lambda: f"xapp-1-A{some(upper_digits, 10)}-{some(string.digits, 13)}-{some(_HEX, 64)}",
        "slack webhook": lambda: (
            f"https://hooks.slack.com/services/T{some(upper_digits, 8)}/B{some(upper_digits, 8)}/{some(_ALNUM, 24)}"
        ),
        "stripe key": lambda: f"sk_live_{some(_ALNUM, 24)}",
        "google key": lambda: f"AIza{some(_ALNUM + '_-', 35)}",
        "openai key": lambda: f"sk-{some(_ALNUM, 20)}T3BlbkFJ{some(_ALNUM, 20)}",
        "anthropic key": lambda: f"sk-ant-api03-{some(_ALNUM + '_-', 93)}AA",
        "npm token": lambda: f"npm_{some(_ALNUM, 36)}",
        "pypi token": lambda: f"pypi-AgEIcHlwaS5vcmc{some(_ALNUM + '_-', 80)}",
        "sendgrid key": lambda: f"SG.{some(_ALNUM, 22)}.{some(_ALNUM, 43)}",
        "twilio key": lambda: f"SK{some(_HEX, 32)}",
        "hugging face": lambda: f"hf_{some(string.ascii_letters, 34)}",
        "telegram": lambda: f"telegram bot {some(string.digits, 9)}:A{some(_ALNUM, 34)}",
        "jwt": jwt,
        "private key": lambda: (
            f"-----BEGIN RSA PRIVATE KEY-----\n{some(_ALNUM + '+/', 64)}\n{some(_ALNUM + '+/', 64)}\n"
            "-----END RSA PRIVATE KEY-----"
        ),
        "named key": lambda: f"api_key = {some(_ALNUM, 32)}",
        "unnamed key": lambda: some(_ALNUM, 40),
        "database address": lambda: f"postgres://app:{some(_ALNUM, 14)}@db.internal:5432/app",
        "said password": lambda: f"the wifi password is {some(string.ascii_lowercase, 6)}{some(string.digits, 3)}!",
        "short password": lambda: f"pw: {some(_ALNUM, 5)}{some(string.digits, 2)}",
        "payment card": card,
        "bank account": iban,
    }


def planted(seed: int, each: int) -> Iterator[tuple[str, str]]:
    """Kind and text of each planted secret."""
    chance = random.Random(seed)
    for kind, make in kinds(chance).items():
        for _ in range(each):
            yield kind, chance.choice(_SENTENCES).format(make())


def clean_texts(data: Path) -> list[str]:
    """Chat that nobody put a secret into."""
    logs = json.loads((data / "dstc11t5" / "val_logs.json").read_text(encoding="utf-8"))
    texts = [turn["text"] for log in logs for turn in log]
    with tarfile.open(data / "irc" / "irc_dev_test.tar.xz") as archive:
        for member in archive.getmembers():
            if member.name.endswith(".raw.txt") and (file := archive.extractfile(member)):
                texts += file.read().decode("utf-8", "replace").splitlines()
    return list(dict.fromkeys(filter(str.strip, texts)))


def detect_secrets() -> Finds | None:
    """The other scan, where it is there; it reads files, line by line."""
    if find_spec("detect_secrets") is None:
        return None
    from detect_secrets import SecretsCollection  # type: ignore[import-not-found,unused-ignore]
    from detect_secrets.settings import default_settings  # type: ignore[import-not-found,unused-ignore]

    def finds(texts: Sequence[str]) -> list[bool]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chat.txt"
            path.write_text("\n".join(" ".join(text.splitlines()) for text in texts))
            secrets = SecretsCollection()
            with default_settings():
                secrets.scan_file(str(path))
            lines = {secret.line_number for _, secret in secrets}
        return [number in lines for number in range(1, len(texts) + 1)]

    return finds


def scan(texts: Sequence[str]) -> list[bool]:
    """Our own."""
    return [bool(find_secrets(text)) for text in texts]


def report(name: str, finds: Finds, texts: Sequence[str], secrets: Sequence[tuple[str, str]]) -> None:
    """Print recall by kind and what is found in clean texts."""
    found: dict[str, list[bool]] = {}
    for (kind, _), hit in zip(secrets, finds([text for _, text in secrets]), strict=True):
        found.setdefault(kind, []).append(hit)
    every = [hit for hits in found.values() for hit in hits]
    print(f"{name}: finds {sum(every)} of {len(every)} planted secrets ({sum(every) / len(every):.3f})")
    for kind, hits in found.items():
        if not all(hits):
            print(f"  {kind}: {sum(hits)} of {len(hits)}")
    wrong = [text for text, hit in zip(texts, finds(texts), strict=True) if hit]
    print(f"  in {len(texts)} clean texts: {len(wrong)} ({len(wrong) / len(texts):.5f})")
    for text in wrong[:8]:
        print(f"    {text[:140]!r}")


def main() -> None:
    """Print both scans' figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the planted secrets")
    parser.add_argument("--each", type=int, default=40, help="planted secrets of each kind")
    arguments = parser.parse_args()
    texts = clean_texts(arguments.data)
    secrets = list(planted(arguments.seed, arguments.each))
    report("scan", scan, texts, secrets)
    if (other := detect_secrets()) is not None:
        report("detect-secrets", other, texts, secrets)


if __name__ == "__main__":
    main()
