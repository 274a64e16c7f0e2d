"""Kafka inside this process: librdkafka's own mock cluster, out of the wheel of `confluent-kafka`, through ctypes.

In a test::

    with EmbeddedKafka() as kafka:
        kafka.create_topic("t", 64)
        Producer({"bootstrap.servers": kafka.bootstrap})

As a process::

    python -m bmswitch.lab.embedded_kafka serve --ready FILE [--control SOCKET]
    BMSWITCH_TOPICS="a:64 b:1" python -m bmswitch.lab.embedded_kafka create --control SOCKET

Limits (real-parts.md): all in memory and gone when the process ends; about 5 MB (or 100,000 batches) are kept per
partition, then the oldest records go; no compaction; clients can not create topics; an unknown topic that a producer
asks for is made with 4 partitions, so topics are created first.
"""

import argparse
import ctypes
import importlib.util
import logging
import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from bmswitch.model.errors import LabError

_PRODUCER = 0
_NO_ERROR = 0
_TOPIC_ALREADY_EXISTS = 36
_ERROR_SIZE = 512

log = logging.getLogger("bmswitch.lab.kafka")


class EmbeddedKafka:
    """One broker, one cluster, until `close()`. Safe to use from several threads and, by address, from other processes."""

    def __init__(self) -> None:
        self._lib = _library()
        self._lock = threading.Lock()
        self._topics: dict[str, int] = {}
        self._handle = _new_handle(self._lib)
        self._cluster: int | None = self._lib.rd_kafka_mock_cluster_new(self._handle, 1)
        if not self._cluster:
            self._lib.rd_kafka_destroy(self._handle)
            raise LabError(
                "the embedded Kafka did not start",
                evidence="rd_kafka_mock_cluster_new answered NULL",
                next_command="see that a loopback address (127.0.0.1) and free ports exist",
            )
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap: str = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    @property
    def topics(self) -> dict[str, int]:
        """Partition count by name, of the topics made by `create_topic`."""
        with self._lock:
            return dict(self._topics)

    def create_topic(self, name: str, partitions: int = 64) -> bool:
        """True when it was created, False when it was there already with as many partitions.

        Raises:
            LabError: there with another partition count, or refused.
        """
        with self._lock:
            known = self._topics.get(name)
            if known == partitions:
                return False
            code = self._lib.rd_kafka_mock_topic_create(self._running(), name.encode(), partitions, 1)
            if code == _NO_ERROR:
                self._topics[name] = partitions
                return True
        if code == _TOPIC_ALREADY_EXISTS:
            evidence = f"it has {known if known is not None else 'an unknown number of'} partitions, wanted {partitions}"
            hint = "create topics before a producer asks for them: what is unknown gets 4 partitions"
        else:
            evidence, hint = f"librdkafka error {code}", "bmswitch lab down; bmswitch lab up"
        raise LabError(
            f"topic {name} can not be created on the embedded Kafka", evidence=evidence, next_command=hint
        )

    def set_down(self) -> None:
        """The broker refuses connections from now on: a fault for tests."""
        self._lib.rd_kafka_mock_broker_set_down(self._running(), 1)

    def set_up(self) -> None:
        """Ends `set_down`; the records are still there."""
        self._lib.rd_kafka_mock_broker_set_up(self._running(), 1)

    def set_round_trip(self, milliseconds: int) -> None:
        """Every answer of the broker is late by so much: a fault for tests."""
        self._lib.rd_kafka_mock_broker_set_rtt(self._running(), 1, milliseconds)

    def close(self) -> None:
        """Ends the cluster and forgets its records; may be called again."""
        with self._lock:
            cluster, self._cluster = self._cluster, None
        if cluster is not None:
            self._lib.rd_kafka_mock_cluster_destroy(cluster)
            self._lib.rd_kafka_destroy(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _running(self) -> int:
        if self._cluster is None:
            raise LabError("the embedded Kafka is closed")
        return self._cluster


def _new_handle(lib: ctypes.CDLL) -> int:
    """A client that exists only to own the mock cluster; it logs nothing."""
    problem = ctypes.create_string_buffer(_ERROR_SIZE)
    conf = lib.rd_kafka_conf_new()
    lib.rd_kafka_conf_set(conf, b"log_level", b"0", problem, _ERROR_SIZE)
    handle = lib.rd_kafka_new(_PRODUCER, conf, problem, _ERROR_SIZE)
    if not handle:
        lib.rd_kafka_conf_destroy(conf)
        raise LabError("the embedded Kafka did not start", evidence=problem.value.decode(errors="replace"))
    return int(handle)


def _library() -> ctypes.CDLL:
    """The librdkafka that `confluent_kafka` brings, with its functions typed (else 64-bit pointers are cut)."""
    lib = ctypes.CDLL(str(_library_path()))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_conf_destroy": (None, [pointer]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_broker_set_down": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_up": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_rtt": (number, [pointer, ctypes.c_int32, number]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def _library_path() -> Path:
    """Where the wheel has put librdkafka; found without importing the package."""
    spec = importlib.util.find_spec("confluent_kafka")
    if spec is not None and spec.origin:
        package = Path(spec.origin).parent
        found = sorted((package.parent / "confluent_kafka.libs").glob("librdkafka-*.so*"))
        found += sorted((package / ".dylibs").glob("librdkafka*.dylib"))
        if found:
            return found[0]
    raise LabError(
        "librdkafka is not where the wheel of confluent-kafka puts it",
        evidence=f"package found: {spec is not None}",
        next_command="pip install --force-reinstall --only-binary :all: confluent-kafka, or bmswitch lab up --kafka apache",
    )


def main(arguments: list[str] | None = None) -> int:
    """`serve` until SIGTERM, `create` the topics of `BMSWITCH_TOPICS`, `status` as one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m bmswitch.lab.embedded_kafka")
    actions = parser.add_subparsers(dest="action", required=True)
    serve = actions.add_parser("serve")
    serve.add_argument("--ready", type=Path, required=True)
    serve.add_argument("--control", type=Path)
    for name in ("create", "status"):
        actions.add_parser(name).add_argument("--control", type=Path, required=True)
    given = parser.parse_args(arguments)
    from bmswitch.lab.supervisor import kafka_control  # noqa: PLC0415 -- the control needs the class above

    try:
        if given.action == "serve":
            kafka_control.serve(given.ready, given.control or given.ready.with_suffix(".sock"))
        elif given.action == "create":
            kafka_control.create(given.control, os.environ.get("BMSWITCH_TOPICS", ""))
        else:
            sys.stdout.write(kafka_control.raw_status(given.control) + "\n")
    except LabError as error:
        sys.stderr.write(f"error: {error.cause}: {error.evidence}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
