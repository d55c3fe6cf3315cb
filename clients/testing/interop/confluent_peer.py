"""confluent-kafka (librdkafka) as a peer of the interop tests: confluent_peer.py BOOTSTRAP VERB ARGUMENT-IN-JSON"""

import ctypes
import json
import sys
import threading

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from records import read_records, write, write_record

bootstrap, verb, argument = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
servers = {"bootstrap.servers": bootstrap}


def produce(topic, codec="none", config={}):
    """Sends stdin's records to partition 0; one line with its index and offset, or error, per record."""
    producer = Producer({**servers, "compression.codec": codec, **config})

    def report(index):
        return lambda error, message: write(
            index=index,
            offset=None if error else message.offset(),
            error=str(error) if error else None,
        )

    def poll_forever():
        while True:
            producer.poll(0.1)

    threading.Thread(target=poll_forever, daemon=True).start()
    for index, (key, value, headers, timestamp) in enumerate(read_records()):
        producer.produce(
            topic,
            value,
            key,
            partition=0,
            on_delivery=report(index),
            timestamp=timestamp or 0,
            headers=headers,
        )
    producer.flush()


def consumer():
    return Consumer(
        {**servers, "group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True}
    )


def headers_of(message):
    """confluent-kafka 1.7 takes no reference to the None of a null header: Python would run out of them."""
    headers = message.headers() or []
    for _, value in headers:
        if value is None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))
    return headers


def consume(topics):
    """Every record of partition 0 of the topics, up to their ends."""
    reader = consumer()
    reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in topics])
    open_topics = set(topics)
    while open_topics:
        message = reader.poll(30)
        if message is None:
            sys.exit(f"nothing more from {open_topics} within 30 s")
        if message.error() is None:
            write_record(
                message.topic(),
                message.partition(),
                message.offset(),
                message.timestamp()[1],
                message.key(),
                message.value(),
                headers_of(message),
            )
        elif message.error().code() == KafkaError._PARTITION_EOF:
            open_topics.discard(message.topic())
        else:
            raise KafkaException(message.error())
    reader.close()


def topics():
    found = AdminClient(servers).list_topics(timeout=30).topics.values()
    write(topics={topic.topic: len(topic.partitions) for topic in found})


def create(topic, partitions):
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1)
    admin = AdminClient(servers)
    admin.create_topics([new])[topic].result(30)


def delete(topic):
    admin = AdminClient(servers)
    admin.delete_topics([topic])[topic].result(30)


def offset_at(topic, timestamp):
    (found,) = consumer().offsets_for_times([TopicPartition(topic, 0, timestamp)], timeout=30)
    write(offset=found.offset if found.offset >= 0 else None)


def grow(topic, partitions):
    admin = AdminClient(servers)
    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)


def alter_configs(kind, name, configs):
    """Replaces all that is set."""
    resource = ConfigResource(kind, name, set_config=configs)
    admin = AdminClient(servers)
    admin.alter_configs([resource])[resource].result(30)


def describe_configs(kind, name):
    resource = ConfigResource(kind, name)
    admin = AdminClient(servers)
    entries = admin.describe_configs([resource])[resource].result(30)
    write(configs={key: entry.value for key, entry in entries.items()})


verbs = [produce, consume, topics, create, delete, offset_at, grow, alter_configs, describe_configs]
{each.__name__: each for each in verbs}[verb](**argument)
