"""What can go wrong before the first operation is sent to a real etcd. Each one's text is a message for the user."""


class BadSource(ValueError):
    """The text that should name an etcd (`--etcd`) can't be read: a usage error."""


class EtcdUnavailable(Exception):
    """A real etcd was asked for and can't be had; the text says why, and where it helps, how to get one."""


class NotEmpty(Exception):
    """A store that is not ours isn't known to be empty, and a run would delete what it holds: a refusal."""
