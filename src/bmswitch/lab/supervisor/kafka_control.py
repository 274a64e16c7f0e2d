"""The embedded Kafka as a process: its control socket (JSON lines, 0600), and the watch on records that it dropped.

Requests: `{"op":"create","topics":[["name",64]]}`, `{"op":"status"}`. Answers: `{"ok":true,...}` or
`{"ok":false,"error":"..."}`. Status: `{"topics":{name:{"partitions","records","dropped"}}}`, where `dropped` counts the
records below the low watermarks: lost for every reader that had not read them yet.
"""

import json
import logging
import os
import signal
import socket
import socketserver
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bmswitch.lab.embedded_kafka import EmbeddedKafka, log
from bmswitch.model.errors import BmswitchError, LabError

if TYPE_CHECKING:
    from bmswitch.kafka.topics import Topics

WATCH_INTERVAL = 1.0
CONTROL_TIMEOUT = 10.0
_LINE_LIMIT = 1 << 20


def serve(ready: Path, control: Path) -> None:
    """Runs until SIGTERM or SIGINT; `ready` is written, atomically, when both addresses answer."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with EmbeddedKafka() as kafka:
        watch = Watch(kafka)
        control.unlink(missing_ok=True)
        with short_path(control) as name, _Server(name, _Handler, kafka=kafka, watch=watch) as server:
            control.chmod(0o600)
            threading.Thread(target=server.serve_forever, name="control", daemon=True).start()
            _write_ready(ready, kafka.bootstrap, control)
            log.info("embedded Kafka on %s", kafka.bootstrap)
            while not stop.wait(WATCH_INTERVAL):
                _look(watch)
            server.shutdown()
        control.unlink(missing_ok=True)
        ready.unlink(missing_ok=True)


def _look(watch: "Watch") -> None:
    """A look that failed is said and tried again: the broker goes on."""
    try:
        watch.look()
    except BmswitchError as error:
        log.warning("the watermarks could not be read: %s: %s", error.cause, error.evidence)


def create(control: Path, wanted: str) -> None:
    """Creates the topics of `wanted` ("name:partitions name:partitions"); those that are there are fine."""
    topics: list[tuple[str, int]] = []
    for word in wanted.split():
        name, _, partitions = word.rpartition(":")
        if not name or not partitions.isdigit():
            raise LabError("BMSWITCH_TOPICS is not `name:partitions name:partitions`", evidence=repr(word))
        topics.append((name, int(partitions)))
    if topics:
        ask(control, {"op": "create", "topics": topics})


def status(control: Path) -> dict[str, dict[str, int]]:
    """`{topic: {"partitions", "records", "dropped"}}` of a running embedded Kafka."""
    topics: dict[str, dict[str, int]] = ask(control, {"op": "status"})["topics"]
    return topics


def raw_status(control: Path) -> str:
    """The status as one JSON line."""
    return json.dumps(status(control))


def ask(control: Path, request: dict[str, Any]) -> dict[str, Any]:
    """One request, one answer. Raises LabError when nobody answers or the answer is no."""
    try:
        with short_path(control) as name, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CONTROL_TIMEOUT)
            connection.connect(name)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(stream.readline(_LINE_LIMIT))
    except (OSError, ValueError) as error:
        raise LabError(
            "the embedded Kafka does not answer on its control socket",
            evidence=f"{control.name}: {type(error).__name__}: {error}",
            next_command="bmswitch lab status",
        ) from error
    if not answer.get("ok"):
        raise LabError("the embedded Kafka refused", evidence=str(answer.get("error", "")))
    return answer


class Watch:
    """Knows for each topic how many records were written and how many the broker has thrown away."""

    def __init__(self, kafka: EmbeddedKafka) -> None:
        self._kafka = kafka
        self._topics: Topics | None = None
        self._lock = threading.Lock()
        self._dropped: dict[str, int] = {}

    def look(self) -> dict[str, dict[str, int]]:
        """Asks the broker; says so in the log when records were dropped since the last look."""
        with self._lock:
            from bmswitch.lab.supervisor import watermarks  # noqa: PLC0415 -- slow import, first look only

            if self._topics is None:
                self._topics = watermarks.open_topics(self._kafka.bootstrap)
            counts = watermarks.topic_counts(self._topics)
            for name, count in counts.items():
                self._tell(name, count["dropped"])
            return counts

    def _tell(self, name: str, dropped: int) -> None:
        before = self._dropped.get(name, 0)
        self._dropped[name] = dropped
        if dropped > before:
            log.error(
                "RECORDS LOST: %d records of %s were dropped (%d in all): this broker keeps about 5 MB per partition. "
                "Readers that had not read them never will. Use less data, or `bmswitch lab up --kafka apache`.",
                dropped - before,
                name,
                dropped,
            )


class _Server(socketserver.ThreadingUnixStreamServer):
    """Carries the cluster to its handlers."""

    daemon_threads = True

    def __init__(self, name: str, handler: "type[_Handler]", *, kafka: EmbeddedKafka, watch: Watch) -> None:
        before = os.umask(0o177)
        try:
            super().__init__(name, handler)
        finally:
            os.umask(before)
        self.kafka = kafka
        self.watch = watch


class _Handler(socketserver.StreamRequestHandler):
    """One request per connection."""

    timeout = CONTROL_TIMEOUT
    server: _Server

    def handle(self) -> None:
        """Answers one line."""
        try:
            answer = _answer(self.server, json.loads(self.rfile.readline(_LINE_LIMIT)))
        except BmswitchError as error:
            answer = {"ok": False, "error": f"{error.cause}: {error.evidence}"}
        except (ValueError, KeyError, TypeError) as error:
            answer = {"ok": False, "error": f"not understood: {error}"}
        self.wfile.write(json.dumps(answer).encode() + b"\n")


def _answer(server: _Server, request: dict[str, Any]) -> dict[str, Any]:
    if request["op"] == "create":
        made = [name for name, partitions in request["topics"] if server.kafka.create_topic(name, partitions)]
        return {"ok": True, "created": made}
    if request["op"] == "status":
        return {"ok": True, "bootstrap": server.kafka.bootstrap, "topics": server.watch.look()}
    raise ValueError(f"unknown op {request['op']!r}")


def _write_ready(path: Path, bootstrap: str, control: Path) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps({"bootstrap": bootstrap, "control": str(control)}))
    draft.replace(path)


class short_path:  # noqa: N801 -- used like a function: `with short_path(p) as name`
    """A name of a socket that fits the 107 bytes of a socket address, however deep its folder is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> str:
        self._folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)
