"""The FHIRPath of every search parameter of R4, with the types it is for (`data/README.md` names the source)."""
import gzip
import json
from pathlib import Path

_FILE = Path(__file__).parent / "data" / "search-expressions.json.gz"
EXPRESSIONS: dict[str, list[str]] = json.loads(gzip.decompress(_FILE.read_bytes()))
