"""A limiter of concurrent runs on etcd, with the eight bugs that its mock hid, and one without them."""

from etcd_lockstep.simulation import import_etcd3

import_etcd3()  # its own messages can't be imported under protobuf 4 and later
