import json
import logging
import sys

import pytest

from recovery_api.telemetry import AccessLog, JsonLines, Metrics, accepted_request_id, request_id, start_logging

SECRET = "Ana told her companion"


def formatted(record: logging.LogRecord) -> dict[str, object]:
    return json.loads(JsonLines().format(record))


def test_a_record_is_one_line_of_json_with_its_request() -> None:
    token = request_id.set("r-1")
    record = logging.LogRecord("recovery_api.store", logging.WARNING, "x.py", 1, "%s rows\nof two kinds", (7,), None)
    record.created, record.msecs = 1_794_312_000.25, 250.0
    line = JsonLines().format(record)
    request_id.reset(token)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-10T12:00:00.250Z",
        "level": "warning",
        "logger": "recovery_api.store",
        "message": "7 rows\nof two kinds",
        "request": "r-1",
    }


def test_an_error_is_logged_by_its_type_and_place_and_never_by_its_message() -> None:
    def fail() -> None:
        raise ValueError(SECRET) from KeyError(SECRET)

    error = None
    try:
        fail()
    except ValueError:
        error = sys.exc_info()
    line = formatted(logging.LogRecord("x", logging.ERROR, "x.py", 1, "The answer failed.", None, error))
    assert SECRET not in json.dumps(line)
    assert line["error"] == ["builtins.ValueError", "builtins.KeyError"]
    assert "test_telemetry.py" in str(line["stack"])


def test_an_access_line_holds_the_route_and_not_the_path() -> None:
    written: list[bytes] = []
    AccessLog(written.append).record(
        time=1_794_312_000_007_000, method="GET", route="/fhir/{type}/{id}", status=200, microseconds=151, interaction="read"
    )
    assert written[0].endswith(b"}\n")
    assert json.loads(written[0]) == {
        "time": "2026-11-10T12:00:00.007Z", "method": "GET", "route": "/fhir/{type}/{id}", "interaction": "read", "status": 200,
        "microseconds": 151, "request": "", "level": "info", "logger": "access",
    }  # fmt: skip


def test_access_lines_go_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    AccessLog().record(time=0, method="GET", route="/fhir", status=200, microseconds=1)
    assert json.loads(capfd.readouterr().err)["time"] == "1970-01-01T00:00:00.000Z"


def test_metrics_count_requests_by_interaction_and_status() -> None:
    metrics = Metrics()
    for status in (200, 200, 404):
        metrics.observe("read", status, 2_000)
    text = metrics.text().decode()
    assert 'recovery_requests_total{interaction="read",status="200"} 2.0' in text
    assert 'recovery_requests_total{interaction="read",status="404"} 1.0' in text
    assert 'recovery_request_seconds_bucket{interaction="read",le="0.001"} 0.0' in text
    assert 'recovery_request_seconds_bucket{interaction="read",le="0.0025"} 3.0' in text
    assert "process_resident_memory_bytes" in text


def test_two_servers_in_one_process_have_metrics_of_their_own() -> None:
    one, other = Metrics(), Metrics()
    one.observe("read", 200, 1)
    assert b'interaction="read"' not in other.text()


@pytest.mark.parametrize(
    ("sent", "kept"), [("a-1.B_2:c", True), (None, False), ("", False), ("a b", False), ("x" * 65, False), ("a\n", False)]
)
def test_a_request_id_is_kept_where_it_is_harmless(sent: str | None, kept: bool) -> None:
    assert accepted_request_id(sent, lambda: "made") == (sent if kept else "made")


def test_logging_is_json_and_keeps_libraries_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        start_logging()
        logging.getLogger("httpx").info("GET https://idp.test/?code=secret")
        logging.getLogger("recovery_api").info("ready")
    finally:
        root.handlers[:], root.level = handlers, level
    lines = capfd.readouterr().err.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["ready"]
