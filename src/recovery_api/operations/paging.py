"""What an operation that answers in pages is asked for, and the links of its pages."""
from collections.abc import Sequence
from dataclasses import dataclass

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.parameters import Given
from recovery_api.fhir.search.query import DEFAULT_COUNT, MOST_COUNT
from recovery_api.interactions.pages import followed, link, next_link
from recovery_api.operations.frame import Operating
from recovery_api.store.search import Cursor, Page


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, as a page link carries it on."""

    given: Given
    cursor: Cursor | None = None

    @property
    def count(self) -> int:
        """Matches on a page."""
        wanted = self.given.one("_count")
        return DEFAULT_COUNT if wanted is None else min(wanted, MOST_COUNT)

    @property
    def said(self) -> Sequence[tuple[str, str]]:
        """What was done, as the `self` link says it."""
        return [
            (name, str(self.count if name == "_count" else str(value).lower() if isinstance(value, bool) else value))
            for name, values in self.given.values.items()
            for value in values
        ]


def asked(operating: Operating) -> Asked:
    """The parameters, or those of the page link that is followed. Raises BadRequest."""
    page = followed(operating)
    if page is not None:
        values, (snapshot, sorted_by, id, type) = page
        return Asked(Given({name: tuple(each) for name, each in values.items()}), Cursor(snapshot, tuple(sorted_by), id, type))
    given = operating.given()
    if (given.one("_count") or 0) < 0:
        raise BadRequest(Issue("value", "The parameter '_count' is the number of resources on a page."))
    return Asked(given)


def links(operating: Operating, asked: Asked, page: Page) -> list[tuple[str, str]]:
    """The relations and addresses of a page's links."""
    found = [("self", link(operating, asked.said))]
    if page.next is not None:
        values = {name: list(values) for name, values in asked.given.values.items()}
        found.append(("next", next_link(operating, [values, list(page.next)])))
    return found
