"""What is asked of GraphQL: which discussions there are, and what people said to them and to issues."""

from __future__ import annotations

from collections.abc import Iterable

_POST = "id body createdAt isMinimized author { __typename login }"
_REPLIES = f"pageInfo {{ hasNextPage endCursor }} nodes {{ {_POST} }}"
# Fifty times fifty: GitHub refuses questions whose answer could be too large, and gives up on those that take long.
_COMMENTS = (
    "comments(first: 50, after: $after) { totalCount pageInfo { hasNextPage endCursor } "
    f"nodes {{ {_POST} replies(first: 50) {{ {_REPLIES} }} }} }}"
)
_REPOSITORY = "repository(owner: $owner, name: $name)"

DISCUSSIONS = f"""
query Discussions($owner: String!, $name: String!, $after: String) {{
  {_REPOSITORY} {{
    discussions(first: 50, after: $after, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{ number updatedAt answerChosenAt comments(first: 100) {{ totalCount nodes {{ updatedAt }} }} }}
    }}
  }}
}}"""

DISCUSSION = f"""
query Discussion($owner: String!, $name: String!, $number: Int!, $after: String) {{
  {_REPOSITORY} {{
    discussion(number: $number) {{
      number title body createdAt updatedAt closed answerChosenAt
      author {{ __typename login }}
      category {{ name isAnswerable }}
      labels(first: 50) {{ nodes {{ name }} }}
      answer {{ {_POST} replies(first: 50) {{ {_REPLIES} }} }}
      {_COMMENTS}
    }}
  }}
}}"""

MORE_COMMENTS = f"""
query Comments($owner: String!, $name: String!, $number: Int!, $after: String) {{
  {_REPOSITORY} {{
    discussion(number: $number) {{ {_COMMENTS} }}
  }}
}}"""

MORE_REPLIES = f"""
query Replies($id: ID!, $after: String) {{
  node(id: $id) {{
    ... on DiscussionComment {{ replies(first: 100, after: $after) {{ {_REPLIES} }} }}
  }}
}}"""

_SAID = f"totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {_POST} }}"

ISSUE_COMMENTS = f"""
query IssueComments($owner: String!, $name: String!, $number: Int!, $after: String) {{
  {_REPOSITORY} {{
    issueOrPullRequest(number: $number) {{
      ... on Issue {{ comments(first: 100, after: $after) {{ {_SAID} }} }}
      ... on PullRequest {{ comments(first: 100, after: $after) {{ {_SAID} }} }}
    }}
  }}
}}"""


def count_of(parts: Iterable[str], *, since: bool) -> str:
    """How many issues there are, or changed since a moment, and how many pull requests."""
    told = {"issues": "issues(filterBy: {since: $since})" if since else "issues", "pulls": "pullRequests"}
    asked = " ".join(f"{told[part]} {{ totalCount }}" for part in parts)
    moment = ", $since: DateTime" if since else ""
    return f"query Count($owner: String!, $name: String!{moment}) {{ {_REPOSITORY} {{ {asked} }} }}"


def comments_of_issues(numbers: Iterable[int]) -> str:
    """The first hundred comments of each of these; in the answer an issue is called like `i12`."""
    said = f"comments(first: 100) {{ {_SAID} }}"
    asked = "\n".join(
        f"    i{number}: issueOrPullRequest(number: {number}) "
        f"{{ ... on Issue {{ {said} }} ... on PullRequest {{ {said} }} }}"
        for number in numbers
    )
    return f"query Comments($owner: String!, $name: String!) {{\n  {_REPOSITORY} {{\n{asked}\n  }}\n}}"
