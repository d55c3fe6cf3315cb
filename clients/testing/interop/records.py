"""Records as JSON lines, bytes in base64: how the interop tests talk to the Python clients."""

import base64
import json
import sys


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)


def read_records():
    """The records on stdin: key, value, headers as pairs, and the timestamp in ms or None."""
    for line in sys.stdin:
        record = json.loads(line)
        headers = [(name, decode(value)) for name, value in record["headers"]]
        yield decode(record["key"]), decode(record["value"]), headers, record.get("timestamp")


def write(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def write_record(topic, partition, offset, timestamp, key, value, headers):
    write(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=timestamp,
        key=encode(key),
        value=encode(value),
        headers=[[name, encode(data)] for name, data in headers or []],
    )
