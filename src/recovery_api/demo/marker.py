"""A note in the data folder that a database holds the demo world, and nothing that anybody would miss."""

import hashlib
import json
from datetime import datetime
from pathlib import Path


class Marker:
    """The note about one database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        """`folder` is the demo's own in the data folder."""
        self.folder = folder
        self._path = folder / "world.json"
        self._database = hashlib.sha256(database_url.encode()).hexdigest()

    @property
    def moment(self) -> datetime | None:
        """For which moment the world was made; None where this database has none."""
        told = self._told()
        return datetime.fromisoformat(told["moment"]) if told else None

    @property
    def complete(self) -> bool:
        """All of the world was loaded."""
        return bool(self._told().get("complete"))

    def write(self, moment: datetime, *, complete: bool) -> None:
        """Note that the world of the moment is being made, or complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        told = {"database": self._database, "moment": moment.isoformat(), "complete": complete}
        self._path.write_text(json.dumps(told) + "\n", encoding="utf-8")

    def remove(self) -> None:
        """Note that there is no demo world."""
        self._path.unlink(missing_ok=True)

    def _told(self) -> dict[str, str]:
        told: dict[str, str] = json.loads(self._path.read_text(encoding="utf-8")) if self._path.is_file() else {}
        return told if told.get("database") == self._database else {}
