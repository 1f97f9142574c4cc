"""Clients for etcd that others wrote, as they are installed: on today's protobuf, and without a network."""
