"""The fake does what etcd does: an in-memory etcd that speaks the wire's own messages, in-process or as a server."""
