"""What some families of operations need of the server that they run against."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server that we start differs from the usual one. An endpoint has its own: it is the user's."""

    cheap_passwords: bool = False
    """Hash passwords at bcrypt's least cost, 4, where etcd's is 10."""
    quota_bytes: int | None = None
    """The size of the store's file at which etcd answers NOSPACE; more than 0. None leaves the usual room.

    A put counts as its key, its value and 256 bytes (etcd server/storage/quota.go) on top of the file, which begins
    with 20 to 40 KiB and grows with each commit to disk, so that by which of many small puts it is full varies.
    Measured on 3.4.23 to 3.7.3: a fresh store takes no put at 24 KiB, and takes one of 1 KiB at 64 KiB.
    """

    def __post_init__(self) -> None:
        if self.quota_bytes is not None and self.quota_bytes <= 0:  # to etcd, 0 is its default, and less is no quota
            raise ValueError(f"a quota is a number of bytes above 0, not {self.quota_bytes}")


USUAL = ServerSettings()
"""What a run has where nobody asks for something else."""
