"""All pages of a search or a history."""
from collections.abc import Iterator

from .generated.client import AuthenticatedClient, Client
from .generated.models.bundle import Bundle
from .generated.types import Unset


def pages(client: AuthenticatedClient | Client, first: Bundle) -> Iterator[Bundle]:
    """The page, and those that its `next` links lead to. Raises httpx.HTTPStatusError."""
    page: Bundle | None = first
    while page is not None:
        yield page
        links = [] if isinstance(page.link, Unset) else page.link
        following = next((link.url for link in links if link.relation == "next"), None)
        page = None if following is None else Bundle.from_dict(client.get_httpx_client().get(following).raise_for_status().json())
