"""A leader that hands out jobs: one that goes on after its lease ran out, and one that is fenced."""

from etcd_lockstep.simulation import import_etcd3

import_etcd3()  # its own messages can't be imported under protobuf 4 and later
