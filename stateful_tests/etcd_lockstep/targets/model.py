"""The model as a target."""

from etcd_lockstep.target import ALL, Target
from etcd_model import Operation, Result, Server, State, step


class ModelTarget(Target):
    """The reference model, started as a real etcd stands after its reset: empty, and compacted there."""

    name = "model"
    capabilities = ALL

    def __init__(self, server: Server) -> None:
        self.server = server
        self._initial = State(server=server, compact_revision=1)
        self.state = self._initial

    def reset(self) -> int:
        self.state = self._initial
        return self.state.revision

    def apply(self, operation: Operation) -> Result:
        self.state, result = step(self.state, operation)
        return result
