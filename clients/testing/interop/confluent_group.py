"""confluent-kafka (librdkafka) in consumer groups: confluent_group.py BOOTSTRAP VERB ARGUMENT-IN-JSON"""

import json
import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from group_member import COMMIT_RECORDS, POLL_SECONDS, Owned, Stop, tell_committed, tell_record
from records import write

bootstrap, verb, argument = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
servers = {
    "bootstrap.servers": bootstrap,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 200,
}


def consumer(group, **config):
    return Consumer(
        {
            **servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "heartbeat.interval.ms": 100,
            **config,
        }
    )


def member(topic, group, assignor, session_ms):
    """Reads until it is told to stop."""
    stop, owned = Stop(), Owned()
    config = {"partition.assignment.strategy": assignor, "session.timeout.ms": session_ms}
    reader = consumer(group, **config)
    reader.subscribe(
        [topic],
        on_assign=lambda _, partitions: owned.add(partitions),
        on_revoke=lambda _, partitions: (commit(reader), owned.remove(partitions)),
        on_lost=lambda _, partitions: owned.remove(partitions),
    )
    uncommitted = 0
    while not stop.asked:
        message = reader.poll(POLL_SECONDS)
        if message is not None and message.error() is None:
            tell_record(message.partition(), message.offset(), message.value())
            uncommitted += 1
        if uncommitted >= COMMIT_RECORDS or (message is None and uncommitted > 0):
            commit(reader)
            uncommitted = 0
    reader.close()


def commit(reader):
    """What fails is committed with the next, or read again."""
    try:
        done = reader.commit(asynchronous=False)
    except KafkaException:
        return
    tell_committed({each.partition: each.offset for each in done if each.error is None})


def read(reader, count):
    """The offsets of the next so many records, as partition and offset."""
    found = []
    while len(found) < count:
        message = reader.poll(30)
        if message is None or message.error() is not None:
            sys.exit(f"{len(found)} of {count} records: {message and message.error()}")
        found.append([message.partition(), message.offset()])
    return found


def controls(topic, group, time):
    """Commits of both kinds, seek, pause, offsets by time: a line for each."""
    heard = []
    reader = consumer(
        group, on_commit=lambda error, offsets: heard.append([str(error), offsets[0].offset])
    )
    where = TopicPartition(topic, 0)
    at = lambda offset: TopicPartition(topic, 0, offset)
    reader.subscribe([topic])
    write(read=read(reader, 3))
    write(position=reader.position([where])[0].offset)
    write(sync=[each.offset for each in reader.commit(asynchronous=False)])
    reader.commit(offsets=[at(7)], asynchronous=True)
    while ["None", 7] not in heard:
        reader.poll(0.1)
    write(asynchronous=heard[-1])
    write(committed=reader.committed([where], timeout=30)[0].offset)
    reader.seek(at(8))
    write(read=read(reader, 2))
    reader.pause([where])
    reader.seek(at(0))
    write(paused=reader.poll(0.3) is None)
    reader.resume([where])
    write(read=read(reader, 1))
    (found,) = reader.offsets_for_times([TopicPartition(topic, 0, time)], timeout=30)
    write(offset_for_time=found.offset)
    write(watermarks=reader.get_watermark_offsets(where, timeout=30))
    groups = AdminClient(servers).list_groups(group, timeout=30)
    write(groups=[[each.id, each.state, each.protocol, len(each.members)] for each in groups])
    reader.close()
    every = AdminClient(servers).list_groups(timeout=30)
    write(groups=[[each.id, each.state] for each in every if each.id == group])


verbs = [member, controls]
{each.__name__: each for each in verbs}[verb](**argument)
