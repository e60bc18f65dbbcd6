"""The check of an address, and of the way that a credential would take to it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from knowledge.errors import SourceError
from knowledge.sources.address import check_private, is_private
from knowledge.sources.site import parse_site


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("https://docs.example.com/", True),
        ("http://docs.example.com/", False),
        ("http://localhost:8080/", True),
        ("http://127.0.0.2/", True),
        ("http://[::1]:80/", True),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost.example.com/", False),
        ("ftp://localhost/", False),
        ("", False),
    ],
)
def test_what_stays_on_this_machine_or_is_encrypted_is_private(address: str, private: bool) -> None:
    assert is_private(urlsplit(address)) == private
    if not private:
        with pytest.raises(SourceError, match="over https only"):
            check_private(address)


@pytest.mark.parametrize(
    "location", ["docs.example.com", "https://", "https://docs.example.com/..%2Fsecret", "https://[/"]
)
def test_what_is_no_site_is_named_with_what_one_looks_like(location: str) -> None:
    with pytest.raises(SourceError, match=r"is no address of a site\. Expected one like https://docs"):
        parse_site(location)


@pytest.mark.parametrize("location", ["https://ada:s3cret@example.com/", "https://s3cret@[/"])
def test_a_password_in_the_address_of_a_site_is_not_repeated(location: str) -> None:
    with pytest.raises(SourceError, match="--credential NAME") as refused:
        parse_site(location)
    assert "s3cret" not in str(refused.value)
