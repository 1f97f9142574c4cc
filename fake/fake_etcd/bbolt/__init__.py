"""bbolt's file format, as far as etcd's databases use it: buckets of sorted keys, none inside another."""

from fake_etcd.bbolt.pages import BadDatabaseError
from fake_etcd.bbolt.reading import read
from fake_etcd.bbolt.writing import write

__all__ = ["BadDatabaseError", "read", "write"]
