"""What a member of a group tells the interop tests: what it owns, reads and commits, with the time of each."""

import signal
import time

from records import write

# A commit after so many records, or when there are none for a moment: a member that is killed in between repeats some.
COMMIT_RECORDS = 20
POLL_SECONDS = 0.1


def now_ms():
    """Since some moment that all processes of the machine share."""
    return time.monotonic_ns() / 1e6


class Stop:
    """True from SIGINT or SIGTERM on."""

    def __init__(self):
        self.asked = False
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self.ask)

    def ask(self, *_):
        self.asked = True


class Owned:
    """The partitions that the member owns, told at each change."""

    def __init__(self):
        self.partitions = set()

    def add(self, partitions):
        self.partitions |= {each.partition for each in partitions}
        self.tell(added=sorted(each.partition for each in partitions))

    def remove(self, partitions):
        self.partitions -= {each.partition for each in partitions}
        self.tell(removed=sorted(each.partition for each in partitions))

    def tell(self, **change):
        write(owned=sorted(self.partitions), **change)


def tell_record(partition, offset, value):
    write(partition=partition, offset=offset, value=value.decode(), at=now_ms())


def tell_committed(offsets):
    """offsets: of the next record, by partition; they are durable."""
    write(committed=offsets, at=now_ms())
