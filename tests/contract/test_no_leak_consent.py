"""Through the front door every caller gets of every client what the table of consents says."""

import pytest

from tests.contract.asking import Request, ask
from tests.contract.consent_table import cells
from tests.contract.direct import Direct

CELLS = cells()


@pytest.mark.parametrize("pattern", dict.fromkeys(cell.pattern for cell in CELLS))
async def test_every_caller_gets_what_the_table_of_consents_says(pattern: str, wide_api: Direct):
    told: list[str] = []
    for cell in (each for each in CELLS if each.pattern == pattern):
        answer = await ask(wide_api.as_(cell.caller), Request("GET", cell.target))
        if answer.status != (200 if cell.sees else 404):
            told.append(f"{cell.caller.name}, {cell.target}: {answer.status}, and the page says {'yes' if cell.sees else 'no'}")
    assert not told, "\n".join(told)
