"""The log: shape, repeats, secrets, rotation, and that it never stops anybody."""

import io
import json
import logging

import pytest
import structlog

from interface import log as module
from interface.log import Log, Repeats, RotatedFile, redacted, start


@pytest.fixture(autouse=True)
def restored():
    """What starting a log changes in the process is put back."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


class Clock:
    """A clock that stands still until told."""

    def __init__(self, ns=1_795_262_400_123_456_789):
        self.ns = ns

    def __call__(self):
        return self.ns


def written(act, **options):
    """The records a run of ``act`` leaves on the stream, as dictionaries."""
    stream = io.StringIO()
    log = start(stream=stream, now_ns=Clock(), **{"form": "json", **options})
    act(module.logger("feed"), log)
    log.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_in_the_agreed_order():
    """ts, level, event, logger, then what is bound, then the values."""
    records = written(lambda out, log: out.info("order.sent", symbol="BTCUSDT", us=12), run_id="r1", mode="paper")
    assert [list(record.items()) for record in records] == [
        [
            ("ts", "2026-11-21T12:00:00.123456Z"),
            ("level", "info"),
            ("event", "order.sent"),
            ("logger", "feed"),
            ("run_id", "r1"),
            ("mode", "paper"),
            ("symbol", "BTCUSDT"),
            ("us", 12),
        ]
    ]


def test_level_filters():
    """Events below the level are not written."""
    records = written(lambda out, log: (out.info("a.b"), out.warning("c.d")), level="warning")
    assert [record["event"] for record in records] == ["c.d"]


def test_repeats_are_told_once_with_their_count():
    """Equal events are written once at once and once more with the number of the others."""

    def act(out, log):
        for number in range(313):
            out.warning("stream.late", stream="depth", lag_ms=number)

    assert [(record["lag_ms"], record.get("repeated")) for record in written(act)] == [(0, None), (312, 312)]


def test_repeats_are_due_after_ten_seconds():
    """Ten seconds after the first telling the count comes out and a new span begins."""
    repeats = Repeats()
    told = [repeats.admit({"event": "a"}, second * 10**9) for second in (0, 1, 9, 10)]
    assert told == [[{"event": "a"}], [], [], [{"event": "a", "repeated": 2}, {"event": "a"}]]


def test_watched_repeats_are_bounded():
    """Beyond the bound the oldest watched event is told and forgotten."""
    repeats = Repeats()
    for _ in range(2):
        repeats.admit({"event": "first"}, 0)
    out = [record for n in range(module.REPEATS_MAX) for record in repeats.admit({"event": str(n)}, 0)]
    assert {"event": "first", "repeated": 1} in out


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"api_key": "abc", "x": 1}, {"api_key": "***", "x": 1}),
        ("GET /order?symbol=A&signature=0aF9&x=1", "GET /order?symbol=A&signature=***&x=1"),
        ("wss://host/ws?listenKey=pqia91ma19a5s61", "wss://host/ws?listenKey=***"),
        ("POST /bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe", "POST /bot***/getMe"),
        ("{'X-MBX-APIKEY': 'vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw'}", "{'X-MBX-APIKEY': '***'}"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ({"headers": [("token", "secret=abc")]}, {"headers": [["token", "secret=***"]]}),
        ("plain text", "plain text"),
    ],
)
def test_secrets_are_taken_out(value, expected):
    """Keys and texts that hold a secret lose it and nothing else."""
    assert redacted(value) == expected


def test_known_secrets_are_taken_out_of_exceptions():
    """A secret told to the log is hidden in an exception's text and stack too."""

    def act(out, log):
        log.hide("s3cr3t-value")
        try:
            raise ValueError("refused s3cr3t-value")
        except ValueError:
            out.exception("venue.failed")

    [record] = written(act)
    assert (record["level"], record["error"], record["error_type"]) == ("error", "refused ***", "ValueError")
    assert "Traceback" in record["stack"] and "s3cr3t" not in json.dumps(record)


def test_a_stack_is_told_once_a_minute():
    """The second exception of one place keeps its text but not its stack."""

    def act(out, log):
        for number in range(2):
            try:
                raise ValueError(number)
            except ValueError:
                out.exception("venue.failed")

    assert [("stack" in record, record["error"]) for record in written(act)] == [(True, "0"), (False, "1")]


def test_libraries_are_heard():
    """A warning of a library is an event with its text in a key; chatter below is not."""

    def act(out, log):
        logging.getLogger("httpx").info("GET /bot1:2")
        logging.getLogger("aiohttp").warning("slow %s", "socket")

    [record] = written(act)
    assert (record["event"], record["logger"], record["message"]) == ("library.message", "aiohttp", "slow socket")


def test_console_form_is_for_people():
    """On a console a line is text: level, event and values."""
    stream = io.StringIO()
    log = start(stream=stream, form="console", now_ns=Clock())
    module.logger("feed").info("stream.up", conn_id=3)
    log.close()
    line = stream.getvalue()
    assert line.startswith("2026-11-21T12:00:00.123456Z [info") and "stream.up" in line and "conn_id=3" in line


def test_auto_is_json_where_nobody_looks():
    """Not on a terminal the form is JSON."""
    assert [record["event"] for record in written(lambda out, log: out.info("a.b"), form="auto")] == ["a.b"]


def test_what_is_bound_stands_on_every_later_line():
    """Run id and feed go on the events of the program and of its libraries alike, from then on."""

    def act(out, log):
        out.info("a.b")
        log.bind(run_id="r1", feed="EMBEDDED")
        out.info("c.d")
        logging.getLogger("aiohttp").warning("slow")

    keys = [(one["event"], one.get("run_id"), one.get("feed"), one["mode"]) for one in written(act, mode="paper")]
    assert keys == [
        ("a.b", None, None, "paper"),
        ("c.d", "r1", "EMBEDDED", "paper"),
        ("library.message", "r1", "EMBEDDED", "paper"),
    ]


def test_a_slow_reader_of_our_exchange_is_no_news():
    """What the socket library says of full buffers on the serving side is not told; its errors and our side's are."""

    def act(out, log):
        logging.getLogger("picows.server").warning("Protocol writing pause requested")
        logging.getLogger("picows.server").error("it failed")
        logging.getLogger("picows.client").warning("Protocol writing pause requested")

    assert [(one["logger"], one["level"]) for one in written(act)] == [
        ("picows.server", "error"),
        ("picows.client", "warning"),
    ]


def test_file_gets_the_same_lines(tmp_path):
    """The log file holds what the stream shows."""
    stream = io.StringIO()
    log = start(stream=stream, form="json", folder=tmp_path / "logs", now_ns=Clock())
    module.logger("feed").info("a.b")
    log.close()
    assert (tmp_path / "logs" / "scalper.jsonl").read_text(encoding="utf-8") == stream.getvalue() != ""


def test_files_rotate_and_the_oldest_goes(tmp_path):
    """Files stay within their size, and no more are kept than stated."""
    file = RotatedFile(tmp_path / "scalper.jsonl", bytes_max=10, kept=2)
    for number in range(10):
        file.write(f"line {number}")
    file.reopen()
    left = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert left == {"scalper.jsonl": "line 9\n", "scalper.jsonl.1": "line 8\n", "scalper.jsonl.2": "line 7\n"}


def test_a_disk_that_refuses_stops_nobody(tmp_path):
    """A folder that cannot be made costs the file's lines, counted, and the stream goes on."""
    (tmp_path / "logs").write_text("in the way", encoding="utf-8")
    stream = io.StringIO()
    log = start(stream=stream, form="json", folder=tmp_path / "logs", now_ns=Clock())
    module.logger("feed").info("a.b")
    log.close()
    assert (log.file.lost, len(stream.getvalue().splitlines())) == (1, 1)


def test_a_closed_stream_stops_nobody(tmp_path):
    """A terminal that went away costs its lines, and the file has them."""
    stream = io.StringIO()
    log = start(stream=stream, form="json", folder=tmp_path, now_ns=Clock())
    stream.close()
    module.logger("feed").info("a.b")
    module.logger("feed").info("c.d")
    log.close()
    assert len((tmp_path / "scalper.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_queue_is_bounded(monkeypatch):
    """Beyond the queue's bound events are dropped and counted, and the caller never waits."""
    monkeypatch.setattr(module, "QUEUE_EVENTS_MAX", 2)
    monkeypatch.setattr(Log, "_work", lambda self: None)
    log = Log(folder=None, form="json", stream=io.StringIO())
    for _ in range(5):
        log.emit({"level": "info", "event": "a.b"})
    assert log.dropped == 3
