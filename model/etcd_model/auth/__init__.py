"""The Auth service: users, roles and tokens, and who may do what."""

from etcd_model.auth.management import step
from etcd_model.auth.permission import check_watch
from etcd_model.auth.sender import Sender, sender_of
from etcd_model.auth.store import AuthStore

__all__ = ["AuthStore", "Sender", "check_watch", "sender_of", "step"]
