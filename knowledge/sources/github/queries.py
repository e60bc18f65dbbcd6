"""What is asked of GraphQL about discussions: which there are, and one with all that people said."""

from __future__ import annotations

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
    discussions(first: 100, after: $after, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{ number updatedAt answerChosenAt comments {{ totalCount }} }}
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
