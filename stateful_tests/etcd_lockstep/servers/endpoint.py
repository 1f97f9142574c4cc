"""An etcd that a user runs, at an address that the user names; and the check that it is empty before it is used."""

import json
import ssl
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException, HTTPSConnection

import grpc
from google.protobuf.message import Message

from etcd_lockstep.servers.access import Access, Credentials, open_channel
from etcd_lockstep.servers.calls import Response, call, explain, is_unimplemented, status
from etcd_lockstep.servers.running import EtcdUnavailable, RunningEtcd
from etcd_lockstep.servers.sources import Endpoint, is_emulated
from etcd_model.quirks import DEFAULT_VERSION
from fake_etcd.wire import messages

_AUTH = "/etcdserverpb.Auth/"
_EVERYTHING = messages.RangeRequest(key=b"\0", range_end=b"\0", count_only=True, serializable=False)


class EndpointEtcd(RunningEtcd):
    """A server that the run neither starts nor stops.

    Raises `EtcdUnavailable` where none of its addresses answers within 5 s each, or the answer is not etcd's.
    `refuse_unless_empty` decides whether a run may write to it.
    """

    owned = False

    def __init__(self, source: Endpoint) -> None:
        failed = []
        for access in source.servers:
            try:
                with open_channel(access) as channel:
                    self._connect(channel, access)
                return
            except grpc.RpcError as error:
                failed.append(_why_not(access, error))
        raise EtcdUnavailable("; ".join(failed))

    def _connect(self, channel: grpc.Channel, access: Access) -> None:
        """Raises `grpc.RpcError` and `EtcdUnavailable`."""
        self._access, self.address = access, access.address
        try:
            answer = status(channel)
        except grpc.RpcError as error:
            if not is_unimplemented(error):
                raise
            self.version = DEFAULT_VERSION
            self.how = f"a server at endpoint {self.address}, which has no Status; compared with etcd {self.version}"
        else:
            _refuse_peer_port(channel, access, answer.header.member_id)
            self.version = answer.version
            self.how = f"etcd {self.version} at endpoint {self.address}"
            if not is_emulated(answer.version):
                self.version = DEFAULT_VERSION
                said = f"whose version {answer.version!r:.40} is none of etcd 3.4 and later"
                self.how = f"a server at endpoint {self.address}, {said}; compared with etcd {self.version}"

    @property
    def access(self) -> Access:
        return self._access

    def restart(self) -> None:
        raise EtcdUnavailable(f"the etcd at endpoint {self.address} is not ours to restart")

    def is_alive(self) -> bool:
        try:
            with open_channel(self._access) as channel:
                status(channel)
        except grpc.RpcError as error:
            return is_unimplemented(error)
        return True

    def stop(self) -> None:
        pass

    def log_tail(self, lines: int = 40) -> str:  # noqa: ARG002  # its log is out of reach
        return ""


_SIGNS_OF_TLS = ("Socket closed", "Connection reset", "GOAWAY", "http1.x server")
"""What gRPC says, without TLS, of a server that expects it."""


_SIGNS_OF_CLIENT_CERTIFICATES = ("TSI_DATA_CORRUPTED", "ALERT_BAD_CERTIFICATE", "CERTIFICATE_REQUIRED")
"""What gRPC says of a server that wants a certificate of its clients, in TLS 1.3 and before."""


def _why_not(access: Access, error: grpc.RpcError) -> str:
    """One line on an endpoint that can't be used, with what to do where that can be known."""
    clients = _clients_beside(access)
    if clients is not None:
        return _is_for_peers(access, clients)
    said = explain(error)
    if "user name is empty" in said or "permission denied" in said:
        return f"authentication is on at endpoint {access.address}: name a user that has the role root with --user"
    if "authentication failed" in said:
        return (
            f"the etcd at endpoint {access.address} does not know the user {access.credentials.user} by this password"
        )
    hint = ""
    if access.tls and "Handshake read failed" in said:
        hint = "; if it serves without TLS, the endpoint is http://…"
    elif access.credentials.cert is None and any(sign in said for sign in _SIGNS_OF_CLIENT_CERTIFICATES):
        hint = "; if it wants a certificate of its clients, --cert and --key name one"
    elif access.tls and "create security handshaker" in said:
        hint = "; --cacert, --cert or --key names a file of another kind, or the key of another certificate"
    elif access.tls and "handshake" in said.lower():
        hint = "; --cacert names the authority that its certificate is of"
    elif not access.tls and any(sign in said for sign in _SIGNS_OF_TLS):
        hint = "; if it serves with TLS, the endpoint is https://…"
    return f"no etcd answers at endpoint {access.address} ({said}{hint})"


def _refuse_peer_port(channel: grpc.Channel, access: Access, member_id: int) -> None:
    """Raise `EtcdUnavailable` where the port is the one that members of a cluster use among themselves: some methods
    answer there, and others don't (etcd server/embed/etcd.go, servePeers)."""
    try:
        members = call(
            channel, "/etcdserverpb.Cluster/MemberList", messages.MemberListRequest(), messages.MemberListResponse
        ).members
    except grpc.RpcError as error:
        clients = None if is_unimplemented(error) else _clients_beside(access)
        if clients is not None:  # only who may see the members was refused
            raise EtcdUnavailable(_is_for_peers(access, clients)) from None
        return
    port = access.address.rpartition(":")[2]
    for member in members:
        if member_id == member.ID and _has_port(member.peerURLs, port) and not _has_port(member.clientURLs, port):
            raise EtcdUnavailable(_is_for_peers(access, member.clientURLs))


def _is_for_peers(access: Access, clients: Iterable[str]) -> str:
    return (
        f"endpoint {access.address} looks like the port for peers of etcd, whose clients connect to "
        f"{', '.join(clients) or 'another one'}"
    )


def _clients_beside(access: Access) -> list[str] | None:
    """Where clients of a port for peers connect to; None where it is another port.

    Only such a port answers GET /members, and does so whether or not authentication is on and gRPC is served there,
    which it is not in newer releases (etcd server/etcdserver/api/etcdhttp/peer.go).
    """
    try:
        with closing(_connection(access)) as connection:
            connection.request("GET", "/members")
            members = json.loads(connection.getresponse().read())
        port = access.address.rpartition(":")[2]
        return [url for one in members if _has_port(one["peerURLs"], port) for url in one.get("clientURLs", ())]
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return None  # whatever that is, it is not what etcd answers its peers


_HTTP_SECONDS = 2.0


def _connection(access: Access) -> HTTPConnection:
    """Raises OSError where a file can't be used."""
    if access.tls:
        return HTTPSConnection(access.address, timeout=_HTTP_SECONDS, context=_unchecked(access.credentials))
    return HTTPConnection(access.address, timeout=_HTTP_SECONDS)


def _unchecked(credentials: Credentials) -> ssl.SSLContext:
    """Only what kind of port it is is asked: who is there doesn't matter. Raises OSError."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if credentials.cert is not None:
        context.load_cert_chain(credentials.cert, credentials.key)
    return context


def _has_port(urls: Iterable[str], port: str) -> bool:
    return any(url.rstrip("/").rpartition(":")[2] == port for url in urls)


class NotEmpty(Exception):
    """A store that the run did not start holds data, or may hold some, and the run would delete it."""


def refuse_unless_empty(server: Access | str, allow_destroy: bool) -> None:
    """Raise `NotEmpty` where the etcd holds a key, a lease, a user or a role, or has an alarm, and `allow_destroy` is
    False.

    It only reads: a linearizable count of the keys, and the lists of the others. A history of deleted keys does not
    matter. With `allow_destroy` it also deletes the users and roles, which a run would not delete itself; but not
    where requests are sent in the name of a user, who is there to stay. What a server does not implement, it holds
    none of.

    Raises `EtcdUnavailable` where the server does not answer.
    """
    access = Access(server) if isinstance(server, str) else server
    try:
        with open_channel(access) as channel:
            held = _held(channel)
            if access.credentials.user:
                held = replace(held, users=(), roles=())
            if allow_destroy:
                _delete(channel, held)
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        ):
            raise EtcdUnavailable(f"the etcd at {access.address} doesn't answer ({explain(error)})") from error
        raise NotEmpty(
            f"the etcd at {access.address} refuses to show whether it is empty ({explain(error)}); "
            "where authentication is on there, name a user that has the role root with --user"
        ) from error
    if held.anything and not allow_destroy:
        raise NotEmpty(
            f"the etcd at {access.address} holds {held}, and a run deletes "
            "them all: name an empty one, or say --allow-destroy"
        )


@dataclass(frozen=True, slots=True)
class _Held:
    """What an etcd holds."""

    keys: int
    leases: int
    users: Sequence[str]
    roles: Sequence[str]
    alarms: int

    @property
    def anything(self) -> bool:
        return bool(self.keys or self.leases or self.users or self.roles or self.alarms)

    def __str__(self) -> str:
        parts = [_count(self.keys, "key"), _count(self.leases, "lease")]
        others = (len(self.users), "user"), (len(self.roles), "role"), (self.alarms, "alarm")
        parts += [_count(number, noun) for number, noun in others if number]
        return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _held(channel: grpc.Channel) -> _Held:
    """Raises `grpc.RpcError`."""
    return _Held(
        call(channel, "/etcdserverpb.KV/Range", _EVERYTHING, messages.RangeResponse).count,
        len(
            _listed(
                channel, "/etcdserverpb.Lease/LeaseLeases", messages.LeaseLeasesRequest(), messages.LeaseLeasesResponse
            ).leases
        ),
        tuple(
            _listed(channel, _AUTH + "UserList", messages.AuthUserListRequest(), messages.AuthUserListResponse).users
        ),
        tuple(
            _listed(channel, _AUTH + "RoleList", messages.AuthRoleListRequest(), messages.AuthRoleListResponse).roles
        ),
        len(
            _listed(channel, "/etcdserverpb.Maintenance/Alarm", messages.AlarmRequest(), messages.AlarmResponse).alarms
        ),
    )


def _listed(channel: grpc.Channel, path: str, request: Message, response: type[Response]) -> Response:
    """The answer; an empty one of a server that doesn't implement the method. Raises `grpc.RpcError`."""
    try:
        return call(channel, path, request, response)
    except grpc.RpcError as error:
        if is_unimplemented(error):
            return response()
        raise


def _delete(channel: grpc.Channel, held: _Held) -> None:
    """Raises `grpc.RpcError`."""
    for name in held.users:
        call(channel, _AUTH + "UserDelete", messages.AuthUserDeleteRequest(name=name), messages.AuthUserDeleteResponse)
    for role in held.roles:
        call(channel, _AUTH + "RoleDelete", messages.AuthRoleDeleteRequest(role=role), messages.AuthRoleDeleteResponse)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
