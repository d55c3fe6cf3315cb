"""kafka-python in consumer groups: kafka_python_group.py BOOTSTRAP VERB ARGUMENT-IN-JSON"""

import json
import sys

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from group_member import COMMIT_RECORDS, POLL_SECONDS, Owned, Stop, tell_committed, tell_record
from records import write

bootstrap, verb, argument = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
assignors = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}


def consumer(group, **config):
    return KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        heartbeat_interval_ms=100,
        reconnect_backoff_ms=50,
        reconnect_backoff_max_ms=200,
        retry_backoff_ms=50,
        **config,
    )


class Listener(ConsumerRebalanceListener):
    def __init__(self, reader, owned, done):
        self.reader, self.owned, self.done = reader, owned, done

    def on_partitions_assigned(self, assigned):
        self.owned.add(assigned)

    def on_partitions_revoked(self, revoked):
        commit(self.reader, self.done)
        self.done.clear()
        self.owned.remove(revoked)


def member(topic, group, assignor, session_ms):
    """Reads until it is told to stop."""
    stop, owned = Stop(), Owned()
    done = {}  # offset after the last record read, by partition
    reader = consumer(
        group,
        session_timeout_ms=session_ms,
        max_poll_records=COMMIT_RECORDS,
        partition_assignment_strategy=[assignors[assignor]],
    )
    reader.subscribe([topic], listener=Listener(reader, owned, done))
    while not stop.asked:
        found = reader.poll(timeout_ms=POLL_SECONDS * 1000)
        for where, records in found.items():
            for each in records:
                tell_record(each.partition, each.offset, each.value)
            done[where] = records[-1].offset + 1
        if found:
            commit(reader, done)
    reader.close(autocommit=False)


def commit(reader, done):
    """What fails is committed with the next, or read again."""
    if not done:
        return
    try:
        reader.commit({where: OffsetAndMetadata(offset, "") for where, offset in done.items()})
    except KafkaError:
        return
    tell_committed({where.partition: offset for where, offset in done.items()})


def read(reader, count):
    """The next so many records, as partition and offset."""
    found = []
    while len(found) < count:
        for records in reader.poll(timeout_ms=30_000, max_records=count - len(found)).values():
            found += [[each.partition, each.offset] for each in records]
    return found


def controls(topic, group):
    """Commits with metadata, seek, pause: a line for each."""
    reader = consumer(group)
    where = TopicPartition(topic, 0)
    reader.subscribe([topic])
    write(read=read(reader, 3))
    write(position=reader.position(where))
    reader.commit({where: OffsetAndMetadata(2, "after two ✓")})
    write(committed=reader.committed(where, metadata=True))
    reader.seek(where, 8)
    write(read=read(reader, 2))
    reader.pause(where)
    reader.seek(where, 0)
    write(paused=reader.poll(timeout_ms=300) == {})
    reader.resume(where)
    write(read=read(reader, 1))
    write(ends=[reader.beginning_offsets([where])[where], reader.end_offsets([where])[where]])
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    (described,) = admin.describe_consumer_groups([group])
    (only,) = described.members
    subscribed = only.member_metadata.subscription
    assigned = only.member_assignment.assignment
    write(described=[described.state, described.protocol, subscribed, assigned])
    reader.close(autocommit=False)


def administer(topic, group):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    write(listed=[list(each) for each in admin.list_consumer_groups() if each[0] == group])
    offsets = admin.list_consumer_group_offsets(group)
    write(offsets=[[each.partition, at.offset, at.metadata] for each, at in offsets.items()])
    write(deleted=[[each, error.__name__] for each, error in admin.delete_consumer_groups([group])])
    write(listed=[list(each) for each in admin.list_consumer_groups() if each[0] == group])


verbs = [member, controls, administer]
{each.__name__: each for each in verbs}[verb](**argument)
