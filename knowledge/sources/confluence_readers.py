"""Who may read a page of Confluence: the restrictions of the page and of all pages above it, as people.

Where something cannot be learned, it opens nothing: a group that may not be looked into has no members, an account
without an e-mail address is nobody, a page whose restrictions are not told is closed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from urllib.parse import quote

from knowledge.audience import group_audience
from knowledge.document import Readers
from knowledge.sources.atlassian import Json, RefusedError, Service

logger = logging.getLogger(__name__)

_OWN = ("restrictions.read.restrictions.user", "restrictions.read.restrictions.group")
EXPAND = ",".join(("ancestors", *_OWN, *(f"ancestors.{one}" for one in _OWN)))
"""What must be told with each page."""
MAX_MEMBERS = 20_000
"""Of one group; those beyond are nobody."""
MAX_NAMES = 1_000
"""So many people are asked for by name in one run."""
_PAGE = 200
_CLOSED: frozenset[str] = frozenset()
# Servers that do not know the profiles are asked a few times, not for each person.
_REFUSALS = 5


class People:
    """Accounts and groups, each looked up once a run."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._emails: dict[str, str] = {}
        self._login_names: dict[str, str] = {}
        self._groups: dict[str, frozenset[str]] = {}
        self._names: dict[str, str] = {}
        self._refusals = 0

    def account(self, user: Json) -> str:
        """What names an account; empty for those who are not signed in."""
        key = str(user.get("accountId") or user.get("userKey") or user.get("username") or "")
        if key and "@" in str(user.get("email") or ""):
            self._emails[key] = str(user["email"]).strip().lower()
        if key and user.get("username"):
            self._login_names[key] = str(user["username"])
        return key

    def email(self, account: str) -> str:
        """The e-mail address of an account, in lower case; empty where it is not told."""
        if account not in self._emails:
            self._emails[account] = self._profile_email(self._login_names.get(account, ""))
        return self._emails[account]

    def members(self, group: Json) -> frozenset[str]:
        """The accounts in a group; none where it may not be looked into."""
        key = str(group.get("id") or group.get("name") or "")
        if key not in self._groups:
            try:
                self._groups[key] = frozenset(self._asked_members(group))
            except RefusedError as error:
                logger.warning("a group of Confluence opens nothing, as its members cannot be had: %s", error)
                self._groups[key] = frozenset()
        return self._groups[key]

    def name(self, kind: str, account: str) -> str:
        """What people call an account, named by `kind` (account-id or userkey); empty where it is not told."""
        if account not in self._names and len(self._names) >= MAX_NAMES:
            return ""
        if account not in self._names:
            asked = {"accountId": account} if kind == "account-id" else {"key": account}
            try:
                self._names[account] = str(self._service.get("rest/api/user", asked).get("displayName") or "")
            except RefusedError:
                self._names[account] = ""
        return self._names[account]

    def _asked_members(self, group: Json) -> Iterator[str]:
        if self._service.cloud and group.get("id"):
            path = f"rest/api/group/{quote(str(group['id']), safe='')}/membersByGroupId"
        else:
            path = f"rest/api/group/{quote(str(group.get('name') or ''), safe='')}/member"
        start = 0
        while start < MAX_MEMBERS:
            answer = self._service.get(path, {"start": start, "limit": _PAGE})
            found = answer.get("results") or []
            yield from filter(None, map(self.account, found))
            start += len(found)
            if not found or not ((answer.get("_links") or {}).get("next") or _is_cut(answer)):
                return

    def _profile_email(self, login_name: str) -> str:
        """The address in a profile of a Data Center, which names it nowhere else; this is not in its manual."""
        if self._service.cloud or not login_name or self._refusals >= _REFUSALS:
            return ""
        try:
            answer = self._service.get(f"rest/mobile/1.0/profile/{quote(login_name, safe='')}")
        except RefusedError:
            self._refusals += 1
            return ""
        email = str(answer.get("email") or "").strip().lower()
        return email if "@" in email else ""


class Permissions:
    """Who may read pages, as far as they were told."""

    def __init__(self, source_id: str, service: Service, people: People) -> None:
        self._source_id, self._service, self._people = source_id, service, people
        self._levels: dict[str, frozenset[str] | None] = {}
        self._shown: dict[str, Json] = {}
        """Pages as they are shown above others, for those that are not listed themselves."""

    def note(self, page: Json) -> None:
        """Remember the restrictions that stand in an answer with `EXPAND`."""
        self._levels[str(page["id"])] = self._level(page)
        for ancestor in page.get("ancestors") or ():
            self._shown.setdefault(str(ancestor["id"]), ancestor)

    def readers(self, page: Json) -> Readers | None:
        """Who may read a noted page; None: all who may read its space."""
        levels = [self._levels[str(page["id"])], *self._above(page)]
        accounts = [level for level in levels if level is not None]
        if not accounts:
            return None
        emails = map(self._people.email, frozenset.intersection(*accounts))
        members = frozenset(email for email in emails if email)
        return Readers(audience=group_audience(self._source_id, members), members=members)

    def _above(self, page: Json) -> Iterator[frozenset[str] | None]:
        ancestors = page.get("ancestors")
        if ancestors is None and page.get("type") != "blogpost":
            yield _CLOSED
        for ancestor in ancestors or ():
            key = str(ancestor["id"])
            if key not in self._levels:
                self._levels[key] = self._level(self._shown.get(key, ancestor))
            yield self._levels[key]

    def _level(self, page: Json) -> frozenset[str] | None:
        """The accounts that the page's own restriction lets in; None where it has none."""
        read = (page.get("restrictions") or {}).get("read") or {}
        told = read.get("restrictions") or {}
        users, groups = told.get("user"), told.get("group")
        if users is None or groups is None or _is_cut(users) or _is_cut(groups):
            return self._asked_level(str(page["id"]))
        return self._accounts([*users["results"]], [*groups["results"]], users.get("size"), groups.get("size"))

    def _asked_level(self, page_id: str) -> frozenset[str] | None:
        users: list[Json] = []
        groups: list[Json] = []
        sizes = start = 0
        path = f"rest/api/content/{quote(page_id, safe='')}/restriction/byOperation/read"
        while start < MAX_MEMBERS:
            asked = {"expand": "restrictions.user,restrictions.group", "start": start, "limit": _PAGE}
            try:
                told = self._service.get(path, asked).get("restrictions") or {}
            except RefusedError as error:
                logger.warning("a page of Confluence is closed, as its restrictions cannot be had: %s", error)
                return _CLOSED
            if "user" not in told or "group" not in told:
                return _CLOSED
            more = [told[kind].get("results") or [] for kind in ("user", "group")]
            users += more[0]
            groups += more[1]
            sizes += sum(int(told[kind].get("size") or 0) for kind in ("user", "group"))
            start += max(map(len, more))
            if not any(more) or not (_is_cut(told["user"]) or _is_cut(told["group"])):
                break
        return self._accounts(users, groups, sizes)

    def _accounts(self, users: list[Json], groups: list[Json], *sizes: object) -> frozenset[str] | None:
        if not users and not groups and not any(sizes):
            return None
        named = frozenset(filter(None, map(self._people.account, users)))
        return named.union(*map(self._people.members, groups))


def _is_cut(listed: Json) -> bool:
    """Whether there may be more than is shown."""
    limit = int(listed.get("limit") or 0)
    return "results" not in listed or bool(limit and len(listed["results"]) >= limit)
