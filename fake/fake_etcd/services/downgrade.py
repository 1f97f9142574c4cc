"""Downgrade, of the Maintenance service, since 3.5."""

import re
from collections.abc import Mapping

from grpc import StatusCode

from fake_etcd.errors import (
    DowngradeInProcess,
    EtcdError,
    InvalidDowngradeTargetVersion,
    NoInflightDowngrade,
    WrongDowngradeVersionFormat,
    unknown_method,
)
from fake_etcd.services.service import Handler, Service
from fake_etcd.wire import messages as pb

_PATH = "/etcdserverpb.Maintenance/Downgrade"

_VALIDATE = pb.DowngradeRequest.DowngradeAction.Value("VALIDATE")
_ENABLE = pb.DowngradeRequest.DowngradeAction.Value("ENABLE")
_CANCEL = pb.DowngradeRequest.DowngradeAction.Value("CANCEL")


class Downgrade(Service):
    """etcd: server/etcdserver/v3_server.go Downgrade.

    A downgrade that is enabled stays under way: the one member never lowers the cluster's version by itself.
    """

    def handlers(self) -> Mapping[str, Handler]:
        return {_PATH: self.downgrade}

    def downgrade(self, request: pb.DowngradeRequest, token: str) -> pb.DowngradeResponse:
        core = self.core
        if not core.quirks.auth_status_and_downgrade_exist:
            raise unknown_method(_PATH)
        if core.quirks.move_leader_and_downgrade_need_root:
            core.require_root(token)
        if request.action == _VALIDATE:
            self._validate(request.version)
        elif request.action == _ENABLE:
            target = self._validate(request.version)
            self._set(target, token)
        elif request.action == _CANCEL:
            self._cancel(token)
        else:
            raise EtcdError(StatusCode.UNKNOWN, "etcdserver: unknown method")
        version = core.storage_version
        if core.quirks.downgrade_reports_minor:
            version = version.rpartition(".")[0]
        response = pb.DowngradeResponse(version=version)
        core.fill(response.header)
        return response

    def _validate(self, version: str) -> str:
        """The version one minor release below, in whichever way it is written, unless a downgrade is under way."""
        target = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+(?:[-+].*)?)?", version, re.ASCII)
        if target is None:
            raise WrongDowngradeVersionFormat()
        major, minor, _ = map(int, self.core.storage_version.split("."))
        if (int(target[1]), int(target[2])) != (major, minor - 1):
            raise InvalidDowngradeTargetVersion()
        if self.core.downgrade_target:
            raise DowngradeInProcess()
        return f"{major}.{minor - 1}.0"

    def _cancel(self, token: str) -> None:
        if self.core.downgrade_target:
            self._set("", token)
        elif not self.core.quirks.downgrade_reports_minor:
            raise NoInflightDowngrade()

    def _set(self, target: str, token: str) -> None:
        """etcd 3.5 does it, and forgets to report the caller, who is refused after seven seconds: here at once."""
        self.core.propose(token=token)
        self.core.downgrade_target = target
        if not self.core.quirks.downgrade_reports_minor:
            raise EtcdError(StatusCode.UNAVAILABLE, "etcdserver: request timed out")
