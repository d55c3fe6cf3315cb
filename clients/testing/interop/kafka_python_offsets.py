"""Reads __consumer_offsets as lag exporters do: a consumer of the topic, and Kafka's layout of its records by hand."""

import json
import struct
import sys

from kafka import KafkaConsumer, TopicPartition


def text(data, at):
    (size,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + size].decode(), at + 2 + size


def main(bootstrap):
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, exclude_internal_topics=False, consumer_timeout_ms=5000
    )
    partition = TopicPartition("__consumer_offsets", 0)
    consumer.assign([partition])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([partition])[partition]
    for record in consumer:
        (version,) = struct.unpack_from(">h", record.key)
        if version == 1 and record.value is not None:
            group, at = text(record.key, 2)
            topic, at = text(record.key, at)
            (index,) = struct.unpack_from(">i", record.key, at)
            value_version, offset, epoch = struct.unpack_from(">hqi", record.value)
            metadata, _ = text(record.value, 14)
            print(json.dumps([group, topic, index, value_version, offset, epoch, metadata]))
        elif version == 2 and record.value is not None:
            group, _ = text(record.key, 2)
            protocol_type, at = text(record.value, 2)
            (generation,) = struct.unpack_from(">i", record.value, at)
            print(json.dumps([group, protocol_type, generation]))
        if record.offset + 1 >= end:
            break


main(sys.argv[1])
