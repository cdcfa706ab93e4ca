"""`recovery-api worker` that is killed in the middle of a delivery: the next one goes on, and nothing is lost."""
import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.api import serving
from tests.callers import RUTH
from tests.databases import Databases
from tests.http.notified import BACKPORT, listening, wish
from tests.http.test_deliveries import flagged
from tests.program import PATIENCE, Program


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - another process has no event for it
            await asyncio.sleep(0.01)


async def test_a_worker_that_is_killed_while_it_delivers_loses_nothing(databases: Databases, world_template: str, tmp_path: Path) -> None:
    url = databases.clone(world_template)
    async with listening() as endpoint, serving(url, tmp_path / "var", ALLOWED_PRIVATE_ENDPOINTS=endpoint.origin) as api:
        program = Program(tmp_path, url, {"ALLOWED_PRIVATE_ENDPOINTS": endpoint.origin})
        soon = [{"url": f"{BACKPORT}timeout", "valueUnsignedInt": 1}]
        made = await api.as_(RUTH).post("Subscription", wish("high-acuity-observation", endpoint.address(), extension=soon))
        assert made.status == 201, made.body
        endpoint.answer = lambda got: 0 if got.events and got.events[0]["event-number"] == "3" else 200
        flags = [await flagged(api, number) for number in range(5)]
        numbers = [(str(number), each) for number, each in enumerate(flags, start=1)]
        first = program.start("worker", log=tmp_path / "first.log")
        try:
            await until(lambda: len(endpoint.told()) == 3)
        finally:
            first.kill()
            first.wait()
        assert endpoint.told() == numbers[:3], (tmp_path / "first.log").read_text()
        endpoint.answer = lambda _: 200
        second = program.start("worker", log=tmp_path / "second.log")
        try:
            await until(lambda: len(endpoint.told()) >= 6)
            second.terminate()
        finally:
            assert second.wait(PATIENCE) == 0, (tmp_path / "second.log").read_text()
        assert endpoint.told() == [*numbers[:3], *numbers[2:]]
        assert endpoint.kinds()[0] == "handshake"
    databases.drop(url)
