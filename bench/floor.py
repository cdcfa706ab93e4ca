"""The floor: FastAPI routes that return bytes they already have. Run by `uvicorn bench.floor:app`.

`BENCH_ANSWERS` names a folder; each file in it is the answer of the piece of work that it is named after.
"""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response

MEDIA_TYPE = "application/fhir+json"
answers = {path.name: path.read_bytes() for path in Path(os.environ["BENCH_ANSWERS"]).iterdir()}
app = FastAPI(openapi_url=None)


@app.get("/{work}")
async def read(work: str) -> Response:
    return Response(answers[work], media_type=MEDIA_TYPE)


@app.post("/{work}")
async def write(work: str, request: Request) -> Response:
    await request.body()
    return Response(answers[work], media_type=MEDIA_TYPE)
