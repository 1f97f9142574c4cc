"""A view of the services that are registered: the keys under `/services/`, kept up to date by a watch."""

from __future__ import annotations

import queue
from typing import Any

from etcd3.events import DeleteEvent
from etcd3.exceptions import RevisionCompactedError

PREFIX = "/services/"


class View:
    """What is registered, as far as it has been seen."""

    def __init__(self, etcd: Any) -> None:
        """`etcd` is an etcd3 client."""
        self._etcd = etcd
        self.services: dict[str, str] = {}
        self._seen = 0
        """The revision up to which they are right."""

    def follow(self, until: str) -> None:
        """Keep it up to date, until this service is registered. A watch that breaks is opened again."""
        self._list()
        while until not in self.services:
            arrived: queue.Queue[Any] = queue.Queue()
            watch = self._etcd.add_watch_prefix_callback(PREFIX, arrived.put, start_revision=self._seen + 1)
            broken = self._take(arrived, until)
            if broken is None:
                self._etcd.cancel_watch(watch)
            elif isinstance(broken, RevisionCompactedError):
                self._compacted(broken.compacted_revision)

    def _take(self, arrived: queue.Queue[Any], until: str) -> Exception | None:
        """Take what the watch delivers, until it is enough, or until it breaks: then return why."""
        while until not in self.services:
            response = arrived.get()
            if isinstance(response, Exception):
                return response
            for event in response.events:
                if isinstance(event, DeleteEvent):
                    self.services.pop(event.key.decode(), None)
                else:
                    self.services[event.key.decode()] = event.value.decode()
            self._seen = response.header.revision
        return None

    def _list(self) -> None:
        response = self._etcd.get_prefix_response(PREFIX)
        self.services = {kv.key.decode(): kv.value.decode() for kv in response.kvs}
        self._seen = response.header.revision

    def _compacted(self, revision: int) -> None:
        """The events up to here are gone. To go on with those that are left is the bug: a service whose deletion was
        among the others stays in the view."""
        self._seen = revision - 1


class RelistingView(View):
    """Lists the services anew where it has missed events."""

    def _compacted(self, revision: int) -> None:
        del revision  # what is left of the history is not enough
        self._list()
