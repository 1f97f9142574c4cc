"""What a real etcd can't be asked for, over the wire: a gRPC service, and the same over HTTP."""

from fake_etcd.control.serving import add_control

__all__ = ["add_control"]
