"""The wire: etcd's messages and methods, as field numbers and paths. Nothing here knows what they mean."""
