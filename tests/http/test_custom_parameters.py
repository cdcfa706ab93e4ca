"""An operator's own search parameters: a file, and a reindex while the server runs."""

from pathlib import Path

import pytest

from recovery_api.demo.world import fixture
from recovery_api.fhir.json import dump
from recovery_api.fhir.search.parameters import BadParameter
from recovery_api.store.reindex import reindex
from tests.api import serving
from tests.callers import MAYA

TITLE = {
    "resourceType": "SearchParameter",
    "url": "https://example.org/SearchParameter/note-title",
    "name": "NoteTitle",
    "status": "active",
    "description": "The title of a note's attachment",
    "code": "title",
    "base": ["DocumentReference"],
    "type": "string",
    "expression": "DocumentReference.content.attachment.title",
}


async def test_a_search_parameter_file_is_served_after_a_reindex_beside_the_running_server(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, fixture()) as api:
        assert (await api.as_(MAYA).get("DocumentReference?title=session")).status == 400
    (tmp_path / "search-parameters").mkdir()
    (tmp_path / "search-parameters" / "title.json").write_bytes(dump(TITLE))
    async with serving(database_url, tmp_path) as api:
        maya, server = api.as_(MAYA), api.running.server
        assert (await maya.get("DocumentReference?title=session")).ids == set()
        await reindex(server.store, ["DocumentReference"], server.extract, server.labeller)
        assert (await maya.get("DocumentReference?title=session")).ids == {"d-ana-1", "d-ana-2", "d-cora-1", "d-cora-2"}
        assert (await maya.get("DocumentReference/d-ana-1")).headers["etag"] == 'W/"1"'
        statement = (await maya.get("metadata")).json
        documents = next(entry for entry in statement["rest"][0]["resource"] if entry["type"] == "DocumentReference")
        assert any(parameter["name"] == "title" for parameter in documents["searchParam"])


@pytest.mark.parametrize(
    "wrong",
    [{"expression": "DocumentReference.no.such"}, {"base": ["NoSuchType"]}, {"resourceType": "Patient"}],
    ids=["path", "type", "file"],
)
async def test_a_search_parameter_that_does_not_compile_stops_the_start(
    database_url: str, tmp_path: Path, wrong: dict[str, object]
) -> None:
    (tmp_path / "search-parameters").mkdir()
    (tmp_path / "search-parameters" / "title.json").write_bytes(dump({**TITLE, **wrong}))
    with pytest.raises(BadParameter):
        async with serving(database_url, tmp_path):
            pass
