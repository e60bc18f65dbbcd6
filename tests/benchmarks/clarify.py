"""Asks thirty requests of a company handbook: how many of the vague ones are asked back, and how many of the others?

Run: lorekeeper --home HOME sources add HANDBOOK   (18F's, of the data sets' `docs_corpora`, unpacked)
     lorekeeper --home HOME sync
     python -m tests.benchmarks.clarify --home HOME

The requests were written for this, so the figures are development figures.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bot.answer import UNSURE_ABOVE
from bot.app import build
from bot.clarify import clarifying_options
from bot.evidence import rank_evidence
from bot.settings import load_settings
from bot.support import estimate_support, support_features
from knowledge.audience import Audience
from knowledge.document import Question
from knowledge.library import Library

VAGUE = (
    "How do I request it?",
    "How do I get access?",
    "How do I book?",
    "Can I cancel it?",
    "How do I submit it?",
    "How do I set it up?",
    "Leave?",
    "What about training?",
    "Who approves it?",
    "How do I use my card?",
    "How do I get an account?",
    "Can I change it?",
    "When do I need approval?",
    "Is it paid?",
    "How do I get a card?",
)
SPECIFIC = (
    "How do I get a PIV card?",
    "How do I book a rental car in Concur?",
    "What happens if my flight gets cancelled?",
    "How many weeks of paid parental leave do I get?",
    "How do I charge time for being out of office?",
    "How do I submit paid parental leave requests in HR Links?",
    "What is the Voluntary Leave Transfer Program?",
    "How do I get a travel card?",
    "How much sick leave can be advanced to me?",
    "What does court leave cover?",
    "How do I get access to Concur before GSA onboarding?",
    "When can I use travel comp time?",
    "Can I work from another place while traveling?",
    "How do I log in with my PIV card on a Mac?",
    "What is parental bereavement leave?",
)


def main() -> None:
    """Ask all of them and print what would be asked back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    settings = load_settings(os.environ, options.home)
    unsure = settings.file.answer.minimum_support + UNSURE_ABOVE
    with build(settings, with_generator=False) as application:
        for title, requests in (("vague", VAGUE), ("specific", SPECIFIC)):
            asked = 0
            for request in requests:
                support, choices = ask(application.library, request, settings.file.answer.passages)
                asks = bool(choices) and support < unsure
                asked += asks
                print(f"{'ASKS' if asks else '    '} {support:.2f} {request}  {' | '.join(choices)}")
            print(f"{title}: {asked} of {len(requests)} are asked back\n")


def ask(library: Library, request: str, most: int) -> tuple[float, tuple[str, ...]]:
    """The estimate of support, and what the request may mean."""
    question = Question(text=request)
    found = library.retrieve(question, Audience.everyone(), most)
    evidence = rank_evidence(question, found.passages, found.query_vector, library.embedder)
    features = support_features(question, found.passages, evidence)
    return estimate_support(features), clarifying_options(question, found.passages, evidence)


if __name__ == "__main__":
    main()
