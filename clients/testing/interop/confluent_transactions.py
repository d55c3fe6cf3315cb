"""Transactions of confluent-kafka (librdkafka): confluent_transactions.py BOOTSTRAP VERB ARGUMENT-IN-JSON"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition

from records import write

bootstrap, verb, argument = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
servers = {
    "bootstrap.servers": bootstrap,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,
}


def until_done(step, *args):
    """Tries again what may succeed later, as librdkafka's manual says."""
    while True:
        try:
            return step(*args)
        except KafkaException as failure:
            if not failure.args[0].retriable():
                raise


def producer_of(transactional_id):
    producer = Producer(
        {**servers, "transactional.id": transactional_id, "transaction.timeout.ms": 60000}
    )
    until_done(producer.init_transactions, 30)
    return producer


def rounds(topic, transactional_id, count):
    """Transactions of three records each, every third of them aborted; one line for each."""
    producer = producer_of(transactional_id)
    for i in range(count):
        producer.begin_transaction()
        for j in range(3):
            producer.produce(topic, f"{i}-{j}", partition=j % 2)
        if i % 3 == 0:
            producer.flush()
            until_done(producer.abort_transaction, 30)
        else:
            until_done(producer.commit_transaction, 30)
        write(round=i, committed=i % 3 != 0)


def fence(topic, transactional_id):
    """Leaves a transaction open, then finds itself fenced by a second producer."""
    older = producer_of(transactional_id)
    older.begin_transaction()
    older.produce(topic, "older", partition=0)
    older.flush()
    newer = producer_of(transactional_id)
    newer.begin_transaction()
    newer.produce(topic, "newer", partition=0)
    until_done(newer.commit_transaction, 30)
    try:
        until_done(older.commit_transaction, 30)
        write(error=None)
    except KafkaException as failure:
        write(error=failure.args[0].name(), fatal=failure.args[0].fatal())


def read_committed(topic, partitions):
    """Every committed value, up to the ends that there are now; one line for each."""
    reader = Consumer(
        {
            **servers,
            "group.id": "unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    reader.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in range(partitions)])
    open_partitions = set(range(partitions))
    while open_partitions:
        message = reader.poll(30)
        if message is None:
            sys.exit(f"nothing more from {open_partitions} within 30 s")
        if message.error() is None:
            write(value=message.value().decode())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            open_partitions.discard(message.partition())
        else:
            raise KafkaException(message.error())


def copy(source, target, group, count):
    """Reads, adds an exclamation mark, writes: once, whatever happens. One line for each transaction that has committed."""
    consumer = Consumer(
        {
            **servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "session.timeout.ms": 10000,
            "fetch.message.max.bytes": 1000,
        }
    )
    consumer.subscribe([source])
    producer = producer_of(group)
    copied = 0
    attempt = 0
    while copied < count:
        messages = [each for each in consumer.consume(50, 0.5) if each.error() is None]
        if not messages:
            continue
        attempt += 1
        if copy_some(producer, consumer, messages, target, attempt % 5 != 0):
            copied += len(messages)
            write(copied=copied)
    consumer.close()


def copy_some(producer, consumer, messages, target, is_meant):
    """One transaction. Aborted, and to be read again, when it is not meant, or when it cannot be helped."""
    producer.begin_transaction()
    try:
        for message in messages:
            producer.produce(target, message.value() + b"!", partition=0)
        positions = consumer.position(consumer.assignment())
        members = consumer.consumer_group_metadata()
        until_done(producer.send_offsets_to_transaction, positions, members, 30)
        if is_meant:
            until_done(producer.commit_transaction, 30)
            return True
    except KafkaException as failure:
        if not failure.args[0].txn_requires_abort():
            raise
    until_done(producer.abort_transaction, 30)
    for partition in consumer.committed(consumer.assignment(), 30):
        start = partition.offset if partition.offset >= 0 else OFFSET_BEGINNING
        consumer.seek(TopicPartition(partition.topic, partition.partition, start))
    return False


verbs = [rounds, fence, read_committed, copy]
{each.__name__: each for each in verbs}[verb](**argument)
