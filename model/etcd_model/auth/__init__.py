"""The Auth service: users, roles and tokens, and who may do what."""

from etcd_model.auth.management import step
from etcd_model.auth.permission import check_watch
from etcd_model.auth.store import AuthStore

__all__ = ["AuthStore", "check_watch", "step"]
