"""Small talk: a greeting, a thank-you or a goodbye needs no search and no model.

A message is small talk only where every one of its words belongs to phrases of it: whatever else stands in it may be a
question, and a question that is missed is worse than a search for nothing.
"""

from __future__ import annotations

import re
from typing import Literal

from bot.sentences import words

SmallTalk = Literal["greeting", "thanks", "goodbye", "noted", "help"]

_LONGEST_WORDS = 24
_WHOM = r"(?: (?:you|u|ya|everyone|everybody|all|team|folks|guys|friend|buddy|bot|ai|assistant|lorekeeper))?"
_VERY = r"(?:so|very|so very|really|truly|too|a lot|lots|very very)"
_MUCH = rf"(?: (?:{_VERY} )?(?:much|kindly|again|a lot|a bunch|a ton|a million|indeed|anyway|though|everyone|all))*"
_HELPING = (
    r"(?:(?:all|all of|any|some) )?(?:(?:the|your|that|this|everything|it) ?)?"
    r"(?:(?:great|kind|quick|helpful|useful) )?"
    r"(?:help|assistance|answers?|answering|information|info|time|advice|support|efforts?|reply|response|update|tips?"
    r"|chatting|talking|helping|letting me know|clarifying|explaining|asking)?(?: (?:me|you|today|my questions?|now))*"
)
_THANKS = (
    rf"(?:(?:i )?(?:just )?(?:want to |wanted to |would like to |must )?(?:many |big |okay )?"
    rf"(?:thanks|thank (?:you|u|ya)|thankyou|thx|ty|tysm|cheers|kudos|gracias|danke|merci|much obliged)"
    rf"{_MUCH}(?: for {_HELPING})?{_MUCH})",
    rf"(?:(?:i )?(?:really |truly |do |greatly )*appreciate (?:it|that|you|{_HELPING}))",
    rf"(?:your {_HELPING} (?:is|was) (?:very |really |much |greatly )*(?:appreciated|helpful|great|good))",
    rf"(?:i(?:'m| am) (?:so |very |really )*(?:grateful|thankful)(?: to you)?(?: for {_HELPING})?)",
    r"(?:(?:you are|you're|you were|you've been|you have been|that's|that was|that is|this is|this was) "
    r"(?:(?:so|very|really|a|an|such|of|the|big|great|super|extremely) )*"
    r"(?:helpful|kind|sweet|help|the best|wonderful))",
    r"(?:(?:good|great|nice|excellent|well) (?:job|work|answer|done|one|bot))",
)
_GOODBYE = (
    r"(?:(?:good ?)?bye(?:[ -]?bye)?(?: for now| then| now)?|cya|ciao|adios|farewell|so long|cheerio|au revoir)",
    r"(?:(?:see|talk to|catch|speak to) (?:you|ya|u)(?: (?:later|soon|around|tomorrow|again|next time|then))*)",
    r"(?:have (?:a|an) (?:(?:very|really|good|great|nice|wonderful|lovely|pleasant|fantastic|awesome|amazing) )+"
    r"(?:one|day|evening|night|weekend|afternoon|time|week|rest of your day)(?: (?:too|as well|today))?)",
    r"(?:good ?night|take care|take it easy|later|until next time|talk soon|enjoy your (?:day|evening|weekend))",
    r"(?:(?:it was |was |it's been |always )?(?:nice|good|great) (?:talking|chatting|speaking|to talk|to chat|to speak)"
    r"(?: (?:to|with) you)?(?: again)?)",
    r"(?:i(?:'ve| have| must)? (?:got to|gotta|have to|must|need to) (?:go|leave|run)(?: now)?|gotta go)",
    r"(?:(?:i think |i believe )?(?:that|this|it)"
    r"(?: (?:is|was|will be|should be|would be|does|covers|about does)|'s|'ll be|s)? "
    r"(?:about |just )?(?:all|it|everything)(?: (?:that )?i (?:need|needed|wanted|want|was looking for))?"
    r"(?: (?:to know|else))?(?: (?:for|from me|from you))?(?: (?:for )?(?:now|today|you|me|at this time|the moment))*)",
    r"(?:(?:i(?:'m| am) )?(?:all set|all good|good for now)(?: (?:now|then))?)",
    r"(?:(?:i )?(?:do not|don't|won't|will not) need (?:anything|nothing)(?: (?:else|more|further|today|now))*)",
    r"(?:nothing (?:else|more|further)(?: (?:today|now|for now|right now))?)",
    r"(?:you(?:'ve| have)? answered (?:all(?: of)? )?my questions?)",
)
_GREETING = (
    rf"(?:(?:hi|hello|hey|heya|hiya|howdy|yo|greetings|hola|hallo|moin|aloha|ahoy|salut|servus|sup)"
    rf"(?: (?:there|again|to){_WHOM}|{_WHOM}))",
    rf"(?:good (?:morning|afternoon|evening|day)|morning|g'day){_WHOM}",
    r"(?:how(?:'s| is| are|'re)? (?:you|it|things|everything|ya|life|your day)(?: (?:doing|going|been))?"
    r"(?: (?:with|for) you)?(?: (?:today|now|right now|this (?:fine )?(?:day|morning)))?)",
    r"(?:how (?:have|'ve) you been(?: doing)?|how goes it|how do you do)",
    r"(?:are you (?:doing )?(?:ok|okay|well|good)(?: today)?)",
    r"(?:what(?:'s| is|s) up|whats up)(?: with you)?",
    r"(?:(?:it's |it is |i'm |i am )?(?:nice|good|great|glad|pleased) to (?:meet|see) you(?: (?:again|too))?)",
    r"(?:long time no see|just (?:wanted to say|saying) (?:hi|hello)|anyone there|are you there)",
)
_NOTED = (
    r"(?:ok(?:ay)?|okey|k|kk|alright|all right|right|fine|good|great|cool|nice|perfect|awesome|excellent|wonderful"
    r"|super|brilliant|fantastic|amazing|lovely|wow|omg|haha|lol|hm+|ah|oh|aha|yay|interesting|sweet|neat|understood|noted"
    r"|got it|i see|gotcha|makes sense|sounds (?:good|great|perfect|fine)|will do|no worries|no problem|never ?mind"
    r"|(?:that|this|it)(?:'s| is| was| sounds?)? (?:good|great|fine|nice|perfect|cool|helpful|awesome|ok|okay))",
)
_HELP = (
    r"(?:(?:can|could|will|would) you )?(?:please )?help(?: me)?(?: please)?",
    r"(?:who|what) (?:are|r) (?:you|u)(?: exactly)?",
    r"(?:are you|is this) (?:a |an )?(?:real |actual )?(?:ro)?(?:bot|human|person|ai|computer)"
    r"(?: or (?:a |an )?(?:real |actual )?(?:ro)?(?:bot|human|person|ai|computer))?",
    r"how (?:do|does) (?:you|this|this bot|lorekeeper) work",
    r"(?:what (?:exactly )?|how )(?:can|could) you (?:do|help)(?: (?:for|with))?(?: me)?(?: with)?(?: exactly)?",
    r"what (?:are you able to|all can you) (?:do|help me with|answer)",
    r"what (?:(?:kinds?|sorts?|types?) of )?(?:questions|things|topics|subjects) (?:can|may|could|should) i ask"
    r"(?: you)?(?: about)?",
    r"what (?:can|may|should) i ask(?: you)?(?: about)?",
    r"what (?:(?:kinds?|sorts?|types?) of )?(?:questions|things|topics|subjects) can you "
    r"(?:answer|do|help me with|help with)",
)
# Looked for in this order: "thanks for your help" does not ask for help.
_KINDS: tuple[tuple[SmallTalk, tuple[str, ...]], ...] = (
    ("thanks", _THANKS),
    ("goodbye", _GOODBYE),
    ("greeting", _GREETING),
    ("help", _HELP),
    ("noted", _NOTED),
)
# What a message is that holds several: to "Hi, thanks, bye" one says goodbye.
_FIRST: tuple[SmallTalk, ...] = ("help", "goodbye", "thanks", "greeting", "noted")
_PATTERNS = tuple((kind, re.compile(rf"\b(?:{'|'.join(phrases)})(?![\w'])")) for kind, phrases in _KINDS)
# These say nothing beside small talk. "Yes" and "no" alone answer a question of ours, and are no small talk.
_FILLERS = frozenset(
    """a and but so well just oh ah again now then today no nope yes yeah yep sure please ok okay to you i am me my the
    there all bot ai assistant lorekeeper everyone friend very much really too also not thing things""".split()
)


def small_talk(text: str) -> SmallTalk | None:
    """Tell which small talk a message is, None for anything that may be a question."""
    said = words(text)
    if not said or len(said) > _LONGEST_WORDS:
        return None
    rest = " ".join(said)
    found: list[SmallTalk] = []
    for kind, pattern in _PATTERNS:
        rest, count = pattern.subn(" ", rest)
        found += [kind] if count else []
    if any(word not in _FILLERS for word in rest.split()):
        return None
    return next((kind for kind in _FIRST if kind in found), None)
