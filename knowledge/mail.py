"""E-mail to Markdown: subject, sender, date and the text; what was quoted from earlier mails is left out."""

from __future__ import annotations

import email
import email.policy
import email.utils
import re
from collections.abc import Callable
from email.message import EmailMessage

from knowledge.converted import Converted, as_prose
from knowledge.errors import UnreadableDocumentError

# An answer above the mail that it answers: what stands below is that mail, which is a document of its own.
_QUOTED_BELOW = re.compile(r"^(?:-{2,} ?Original Message ?-{2,}|_{10,}|On .{5,120} wrote:)\s*$", re.MULTILINE)


def from_mail(content: bytes, html: Callable[[bytes | str], Converted]) -> Converted:
    """One message; `html` converts a body that has no plain form. Attachments are named, not read."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise UnreadableDocumentError("It is no e-mail: it has no header.")
    body = message.get_body(("plain", "html"))
    text = ""
    if isinstance(body, EmailMessage):
        said = str(body.get_content())
        text = html(said).markdown if body.get_content_subtype() == "html" else as_prose(_own(said))
    files = ", ".join(filter(None, (part.get_filename() for part in message.iter_attachments())))
    lines = [f"{name}: {' '.join(str(message[name]).split())}" for name in ("From", "To", "Date") if message[name]]
    lines += [f"Attached: {files}"] if files else []
    subject = " ".join(str(message["Subject"] or "").split())
    markdown = "\n\n".join(filter(None, ("\n".join(lines), text.strip())))
    name, address = email.utils.parseaddr(str(message["From"] or ""))
    return Converted(title=subject, markdown=markdown, owner=" ".join((name or address).split()))


def _own(text: str) -> str:
    found = _QUOTED_BELOW.search(text)
    own = text[: found.start()] if found else text
    kept = "\n".join(line for line in own.splitlines() if not line.startswith(">"))
    # A mail that is nothing but a quote says what it quotes.
    return kept if kept.strip() else text
