"""A registry of services: a watcher that loses events across a compaction, and one that lists anew."""

from etcd_lockstep.simulation import import_etcd3

import_etcd3()  # its own messages can't be imported under protobuf 4 and later
