"""kafka-python as a peer of the interop tests: kafka_python_peer.py BOOTSTRAP VERB ARGUMENT-IN-JSON"""

import json
import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

from records import read_records, write, write_record

bootstrap, verb, argument = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])


def produce(topic, codec="none", config={}):
    """Sends stdin's records to partition 0; one line with its index and offset per record."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        compression_type=None if codec == "none" else codec,
        **config,
    )
    futures = [
        producer.send(topic, value, key, headers, 0, timestamp)
        for key, value, headers, timestamp in read_records()
    ]
    for index, future in enumerate(futures):
        write(index=index, offset=future.get(30).offset, error=None)
    producer.close()


def consumer():
    return KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, consumer_timeout_ms=30_000)


def consume(topics):
    """Every record of partition 0 of the topics, up to their ends."""
    reader = consumer()
    partitions = [TopicPartition(topic, 0) for topic in topics]
    reader.assign(partitions)
    reader.seek_to_beginning()
    ends = reader.end_offsets(partitions)
    while any(reader.position(partition) < end for partition, end in ends.items()):
        for records in reader.poll(1000).values():
            for each in records:
                write_record(
                    each.topic,
                    each.partition,
                    each.offset,
                    each.timestamp,
                    each.key,
                    each.value,
                    each.headers,
                )
    reader.close()


def topics():
    reader = consumer()
    write(topics={topic: len(reader.partitions_for_topic(topic)) for topic in reader.topics()})


def create(topic, partitions):
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1)
    KafkaAdminClient(bootstrap_servers=bootstrap).create_topics([new])


def delete(topic):
    KafkaAdminClient(bootstrap_servers=bootstrap).delete_topics([topic])


def offset_at(topic, timestamp):
    found = consumer().offsets_for_times({TopicPartition(topic, 0): timestamp})
    first = next(iter(found.values()))
    write(offset=None if first is None else first.offset)


def grow(topic, partitions):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_partitions({topic: NewPartitions(partitions)})


def alter_configs(kind, name, configs):
    """Replaces all that is set."""
    resource = ConfigResource(ConfigResourceType[kind.upper()], name, configs)
    answer = KafkaAdminClient(bootstrap_servers=bootstrap).alter_configs([resource])
    for code, message, *_ in answer.resources:
        if code != 0:
            sys.exit(message)


def describe_configs(kind, name):
    resource = ConfigResource(ConfigResourceType[kind.upper()], name)
    (answer,) = KafkaAdminClient(bootstrap_servers=bootstrap).describe_configs([resource])
    (described,) = answer.resources
    write(configs={entry[0]: entry[1] for entry in described[4]})


verbs = [produce, consume, topics, create, delete, offset_at, grow, alter_configs, describe_configs]
{each.__name__: each for each in verbs}[verb](**argument)
