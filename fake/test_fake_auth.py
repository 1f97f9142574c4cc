"""Auth: users, roles, logging in, and tokens."""

import base64
from importlib.util import find_spec
from pathlib import Path

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb

VERSIONS = ["3.4.23", "3.5.1", "3.5.30", "3.6.16", "3.7.3"]

AUTH_FAILED = "INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password"
NO_PASSWORD_USER = "UNKNOWN: auth: authentication failed, password was given for no password user"
LONG_PASSWORD = "UNKNOWN: bcrypt: password length exceeds 72 bytes"
USER_EMPTY = "INVALID_ARGUMENT: etcdserver: user name is empty"
INVALID_TOKEN = "UNAUTHENTICATED: etcdserver: invalid auth token"
PERMISSION_DENIED = "PERMISSION_DENIED: etcdserver: permission denied"


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def ask(engine: Engine, request: Message, token: str = "") -> str:
    """What a call of Auth is answered: its fields, `ok` without any, or the refusal."""
    name = type(request).__name__.removesuffix("Request")
    method = name if name.startswith(("AuthEnable", "AuthDisable", "AuthStatus")) else name.removeprefix("Auth")
    method = "Authenticate" if name == "Authenticate" else method
    try:
        response = engine.call(f"/etcdserverpb.Auth/{method}", request, token)
    except EtcdError as error:
        return str(error)
    response.ClearField("header")
    return " ".join(str(response).split()) or "ok"


def revision(engine: Engine, token: str = "") -> int:
    response = engine.call("/etcdserverpb.Auth/AuthStatus", pb.AuthStatusRequest(), token)
    assert isinstance(response, pb.AuthStatusResponse)
    return response.authRevision


def login(engine: Engine, name: str, password: str) -> str:
    response = engine.call("/etcdserverpb.Auth/Authenticate", pb.AuthenticateRequest(name=name, password=password))
    assert isinstance(response, pb.AuthenticateResponse)
    return response.token


def enable(engine: Engine) -> str:
    """Turn auth on; root's token."""
    assert ask(engine, pb.AuthUserAddRequest(name="root", password="r")) == "ok"
    assert ask(engine, pb.AuthUserGrantRoleRequest(user="root", role="root")) == "ok"
    assert ask(engine, pb.AuthEnableRequest()) == "ok"
    return login(engine, "root", "r")


@pytest.mark.parametrize("version", VERSIONS)
def test_users_and_roles_are_managed_in_etcds_order_of_checks(version: str) -> None:
    engine = Engine(version)
    missing_user = "FAILED_PRECONDITION: etcdserver: user name not found"
    missing_role = "FAILED_PRECONDITION: etcdserver: role name not found"
    steps: list[tuple[Message, str]] = [
        (pb.AuthEnableRequest(), "FAILED_PRECONDITION: etcdserver: root user does not exist"),
        (pb.AuthUserAddRequest(password="x"), USER_EMPTY),
        (pb.AuthUserAddRequest(name="root", password="x"), "ok"),
        (pb.AuthUserAddRequest(name="root"), "FAILED_PRECONDITION: etcdserver: user name already exists"),
        (pb.AuthEnableRequest(), "FAILED_PRECONDITION: etcdserver: root user does not have root role"),
        (pb.AuthenticateRequest(name="root"), "FAILED_PRECONDITION: etcdserver: authentication is not enabled"),
        (pb.AuthUserGrantRoleRequest(user="no", role="no"), missing_user),
        (pb.AuthUserGrantRoleRequest(user="root", role="no"), missing_role),
        (pb.AuthRoleAddRequest(), "INVALID_ARGUMENT: etcdserver: role name is empty"),
        (pb.AuthRoleAddRequest(name="r"), "ok"),
        (pb.AuthRoleAddRequest(name="r"), "FAILED_PRECONDITION: etcdserver: role name already exists"),
        (pb.AuthUserGrantRoleRequest(user="root", role="root"), "ok"),
        (pb.AuthUserGrantRoleRequest(user="root", role="r"), "ok"),
        (pb.AuthUserGetRequest(name="root"), 'roles: "r" roles: "root"'),
        (pb.AuthUserRevokeRoleRequest(name="no", role="r"), missing_user),
        (
            pb.AuthUserRevokeRoleRequest(name="root", role="no"),
            "FAILED_PRECONDITION: etcdserver: role is not granted to the user",
        ),
        (pb.AuthRoleGetRequest(role="root"), missing_role),  # though root is granted it
        (pb.AuthRoleListRequest(), 'roles: "r"'),
        (pb.AuthUserListRequest(), 'users: "root"'),
        (pb.AuthRoleDeleteRequest(role="r"), "ok"),
        (pb.AuthRoleDeleteRequest(role="r"), missing_role),
        (pb.AuthUserGetRequest(name="root"), 'roles: "root"'),
        (pb.AuthUserChangePasswordRequest(name="no", password="x"), missing_user),
        (pb.AuthUserDeleteRequest(name="no"), missing_user),
        (pb.AuthUserGetRequest(name=""), missing_user),
    ]
    assert [ask(engine, request) for request, _ in steps] == [answer for _, answer in steps]


@pytest.mark.parametrize("version", ["3.5.1", "3.6.16", "3.7.3"])
def test_the_auth_revision_counts_changes(version: str) -> None:
    engine = Engine(version)
    counted = [revision(engine)]
    for request in (
        pb.AuthUserAddRequest(name="u"),
        pb.AuthUserAddRequest(name="u"),  # refused
        pb.AuthRoleAddRequest(name="r"),
        pb.AuthUserGrantRoleRequest(user="u", role="r"),
        pb.AuthUserGrantRoleRequest(user="u", role="r"),  # granted already
        pb.AuthRoleGrantPermissionRequest(name="r", perm=pb.Permission(key=b"k")),
        pb.AuthRoleGrantPermissionRequest(name="r", perm=pb.Permission(key=b"k")),  # all the same
        pb.AuthDisableRequest(),  # off already
    ):
        ask(engine, request)
        counted.append(revision(engine))
    assert counted == [1, 2, 2, 3, 4, 4, 5, 6, 6]


def test_auth_status_is_reported_to_everybody_since_3_7() -> None:
    reported = {}
    for version in ("3.4.23", "3.5.30", "3.6.16", "3.7.3"):
        engine = Engine(version)
        enable(engine)
        reported[version] = [ask(engine, pb.AuthStatusRequest(), token) for token in ("", "no.1")]
    unknown = "UNIMPLEMENTED: unknown method AuthStatus for service etcdserverpb.Auth"
    assert reported == {
        "3.4.23": [unknown, unknown],
        "3.5.30": [USER_EMPTY, INVALID_TOKEN],
        "3.6.16": [USER_EMPTY, INVALID_TOKEN],
        "3.7.3": ["enabled: true authRevision: 3", INVALID_TOKEN],
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_management_needs_root_once_auth_is_on(version: str) -> None:
    engine = Engine(version)
    ask(engine, pb.AuthUserAddRequest(name="u", password="u"))
    ask(engine, pb.AuthRoleAddRequest(name="r"))
    ask(engine, pb.AuthUserGrantRoleRequest(user="u", role="r"))
    root, user = enable(engine), login(engine, "u", "u")
    add = pb.AuthUserAddRequest(name="v")
    assert [ask(engine, add, token) for token in ("", "no.1", user, root)] == [
        USER_EMPTY,
        INVALID_TOKEN,
        PERMISSION_DENIED,
        "ok",
    ]
    assert ask(engine, pb.AuthUserGetRequest(name="u"), user) == 'roles: "r"'
    assert ask(engine, pb.AuthUserGetRequest(name="root"), user) == PERMISSION_DENIED
    assert ask(engine, pb.AuthRoleGetRequest(role="r"), user) == "ok"
    assert ask(engine, pb.AuthRoleGetRequest(role="root"), user) == PERMISSION_DENIED
    assert ask(engine, pb.AuthUserChangePasswordRequest(name="u", password="mine"), user) == PERMISSION_DENIED
    management = "INVALID_ARGUMENT: etcdserver: invalid auth management"
    assert ask(engine, pb.AuthUserDeleteRequest(name="root"), root) == management
    assert ask(engine, pb.AuthRoleDeleteRequest(role="root"), root) == management
    assert ask(engine, pb.AuthUserRevokeRoleRequest(name="root", role="root"), root) == management
    assert ask(engine, pb.AuthEnableRequest(), root) == "ok"


@pytest.mark.parametrize("version", VERSIONS)
def test_passwords(version: str) -> None:
    engine = Engine(version)
    ask(engine, pb.AuthUserAddRequest(name="empty"))
    ask(engine, pb.AuthUserAddRequest(name="none", password="x", options=pb.UserAddOptions(no_password=True)))
    root = enable(engine)
    tries = [("root", "r"), ("root", "x"), ("nobody", "x"), ("empty", ""), ("empty", "x"), ("none", "x")]
    answers = [ask(engine, pb.AuthenticateRequest(name=name, password=password)) for name, password in tries]
    assert [answer[:5] if answer.startswith("token") else answer for answer in answers] == [
        "token",
        AUTH_FAILED,
        AUTH_FAILED,
        "token",
        AUTH_FAILED,
        NO_PASSWORD_USER,
    ]
    assert ask(engine, pb.AuthUserChangePasswordRequest(name="none", password="x"), root) == "ok"
    assert ask(engine, pb.AuthenticateRequest(name="none", password="x")) == NO_PASSWORD_USER


def test_an_empty_new_password_locks_the_user_out_since_3_5() -> None:
    answers = {}
    for version in VERSIONS:
        engine = Engine(version)
        ask(engine, pb.AuthUserAddRequest(name="u", password="u"))
        root = enable(engine)
        assert ask(engine, pb.AuthUserChangePasswordRequest(name="u"), root) == "ok"
        answers[version] = ask(engine, pb.AuthenticateRequest(name="u"))[:5]
    assert answers == {"3.4.23": "token", "3.5.1": "INVAL", "3.5.30": "INVAL", "3.6.16": "INVAL", "3.7.3": "INVAL"}


@pytest.mark.parametrize(
    ("version", "answer"),
    [
        ("3.4.23", USER_EMPTY),
        ("3.4.28", USER_EMPTY),
        ("3.5.1", USER_EMPTY),
        ("3.5.10", LONG_PASSWORD),
        ("3.6.16", LONG_PASSWORD),
    ],
)
def test_a_long_password_is_refused_before_who_asks_is_looked_at(version: str, answer: str) -> None:
    engine = Engine(version)
    root = enable(engine)
    assert ask(engine, pb.AuthUserAddRequest(name="u", password="p" * 73)) == answer
    if version in ("3.4.23", "3.5.1"):  # where the rest of it is ignored
        assert ask(engine, pb.AuthUserAddRequest(name="u", password="p" * 73), root) == "ok"
        assert ask(engine, pb.AuthenticateRequest(name="u", password="p" * 72)).startswith("token")
    else:
        assert ask(engine, pb.AuthUserAddRequest(name="u", password="p" * 73), root) == LONG_PASSWORD
    assert ask(engine, pb.AuthUserAddRequest(name="v", password="p" * 72), root) == "ok"
    assert ask(engine, pb.AuthenticateRequest(name="v", password="p" * 90)).startswith("token")


def test_a_hashed_password_counts_only_where_no_password_is_given() -> None:
    engine = Engine("3.5.30")
    assert ask(engine, pb.AuthUserAddRequest(name="u", password="u", hashedPassword="!!")) == "ok"
    change = pb.AuthUserChangePasswordRequest(name="u", password="v", hashedPassword="!!")
    assert ask(engine, change) == "ok"
    assert ask(engine, pb.AuthUserChangePasswordRequest(name="u", hashedPassword="!!")) == NO_PASSWORD_USER
    enable(engine)
    assert login(engine, "u", "v")


@pytest.mark.skipif(find_spec("bcrypt") is not None, reason="bcrypt is installed")
def test_a_hashed_password_without_bcrypt_is_refused_by_the_fake() -> None:
    engine = Engine("3.6.16")
    ask(engine, pb.AuthUserAddRequest(name="u", password="u"))
    hashed = base64.b64encode(b"$2b$04$" + b"x" * 53).decode()
    assert ask(engine, pb.AuthUserChangePasswordRequest(name="u", hashedPassword=hashed)) == (
        "UNIMPLEMENTED: fake-etcd: a hashedPassword needs the package bcrypt, which isn't installed"
    )


def test_a_token_lives_as_long_as_it_is_used() -> None:
    clock = Clock()
    engine = Engine(clock=clock)
    token = enable(engine)
    letters, _, number = token.partition(".")
    assert (len(letters), letters.isalpha(), number.isdigit()) == (16, True, True)
    for seconds in (300, 600, 900):
        clock.seconds = seconds
        assert ask(engine, pb.AuthUserListRequest(), token) == 'users: "root"'
    clock.seconds += 300.5
    assert ask(engine, pb.AuthUserListRequest(), token) == INVALID_TOKEN


def test_which_changes_end_tokens() -> None:
    engine = Engine()
    for name in ("u", "v"):
        ask(engine, pb.AuthUserAddRequest(name=name, password=name))
    root = enable(engine)
    user, other = login(engine, "u", "u"), login(engine, "v", "v")

    def valid() -> list[bool]:
        names = {root: "root", user: "u", other: "v"}
        return [ask(engine, pb.AuthUserGetRequest(name=name), token) != INVALID_TOKEN for token, name in names.items()]

    ask(engine, pb.AuthRoleAddRequest(name="r"), root)
    ask(engine, pb.AuthUserGrantRoleRequest(user="u", role="r"), root)
    assert valid() == [True, True, True]
    ask(engine, pb.AuthUserChangePasswordRequest(name="u", password="new"), root)
    assert valid() == [True, False, True]
    ask(engine, pb.AuthUserDeleteRequest(name="v"), root)
    assert valid() == [True, False, False]
    ask(engine, pb.AuthDisableRequest(), root)
    ask(engine, pb.AuthEnableRequest())
    assert valid() == [False, False, False]


@pytest.mark.parametrize(("version", "is_refused"), [("3.4.23", True), ("3.5.1", True), ("3.5.10", False)])
def test_a_token_while_auth_is_off(version: str, is_refused: bool) -> None:
    assert ask(Engine(version), pb.AuthUserListRequest(), "no.1") == (INVALID_TOKEN if is_refused else "ok")


@pytest.mark.parametrize(("version", "is_refused"), [("3.4.23", True), ("3.4.28", False), ("3.5.1", False)])
def test_a_token_that_comes_with_the_right_password(version: str, is_refused: bool) -> None:
    engine = Engine(version)
    enable(engine)
    assert ask(engine, pb.AuthenticateRequest(name="root", password="x"), "no.1") == AUTH_FAILED
    answer = ask(engine, pb.AuthenticateRequest(name="root", password="r"), "no.1")
    assert answer == INVALID_TOKEN if is_refused else answer.startswith("token")


@pytest.mark.parametrize(("version", "is_understood"), [("3.5.31", False), ("3.5.32", True), ("3.6.16", True)])
def test_bearer_tokens(version: str, is_understood: bool) -> None:
    engine = Engine(version)
    token = enable(engine)
    answer = ask(engine, pb.AuthUserListRequest(), f"Bearer {token}")
    assert answer == ('users: "root"' if is_understood else INVALID_TOKEN)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_grant_replaces_only_the_first_permission_with_its_key(version: str) -> None:
    engine = Engine(version)
    ask(engine, pb.AuthRoleAddRequest(name="r"))
    for kind, end in ((0, b""), (2, b"m"), (0, b"m"), (1, b"")):
        permission = pb.Permission(permType=kind, key=b"k", range_end=end)  # type: ignore[arg-type]
        assert ask(engine, pb.AuthRoleGrantPermissionRequest(name="r", perm=permission)) == "ok"
    response = engine.call("/etcdserverpb.Auth/RoleGet", pb.AuthRoleGetRequest(role="r"))
    assert isinstance(response, pb.AuthRoleGetResponse)
    granted = [(permission.range_end, permission.permType) for permission in response.perm]
    assert granted == [(b"", 1), (b"m", 2), (b"m", 0)]
    assert ask(engine, pb.AuthRoleRevokePermissionRequest(role="r", key=b"k", range_end=b"m")) == "ok"
    assert ask(engine, pb.AuthRoleRevokePermissionRequest(role="r", key=b"k", range_end=b"m")) == (
        "FAILED_PRECONDITION: etcdserver: permission is not granted to the role"
    )
    assert ask(engine, pb.AuthRoleGetRequest(role="r")) == 'perm { permType: WRITE key: "k" }'


def test_the_range_of_a_grant_is_validated_since_3_4_25_and_3_5_8() -> None:
    management = "INVALID_ARGUMENT: etcdserver: invalid auth management"
    for version, is_validated in (("3.4.24", False), ("3.5.7", False), ("3.4.25", True), ("3.5.8", True)):
        engine = Engine(version)
        ask(engine, pb.AuthRoleAddRequest(name="r"))
        for key, end in ((b"", b""), (b"", b"\0"), (b"k", b"k"), (b"k", b"a"), (b"k", b"\0\0")):
            request = pb.AuthRoleGrantPermissionRequest(name="r", perm=pb.Permission(key=key, range_end=end))
            assert ask(engine, request) == (management if is_validated else "ok")


def test_a_grant_without_a_permission() -> None:
    def answers(version: str) -> list[str]:
        engine = Engine(version)
        ask(engine, pb.AuthRoleAddRequest(name="r"))
        return [ask(engine, pb.AuthRoleGrantPermissionRequest(name=name)) for name in ("r", "no")]

    not_given = "INVALID_ARGUMENT: etcdserver: permission not given"
    assert answers("3.5.0") == [not_given, not_given]
    crash = "fake-etcd: a real etcd 3.4.23 would crash on this request: RoleGrantPermission without a permission"
    assert answers("3.4.23") == [f"INTERNAL: {crash}", "FAILED_PRECONDITION: etcdserver: role name not found"]


@pytest.mark.parametrize(
    ("version", "shown"), [("3.5.30", "ok"), ("3.6.16", 'perm { permType: READWRITE range_end: "\\000" }')]
)
def test_the_role_root_shows_its_permission_since_3_6(version: str, shown: str) -> None:
    engine = Engine(version)
    ask(engine, pb.AuthRoleAddRequest(name="root"))
    assert ask(engine, pb.AuthRoleGetRequest(role="root")) == shown


def test_a_reset_forgets_users_and_turns_auth_off() -> None:
    engine = Engine()
    token = enable(engine)
    engine.reset()
    assert ask(engine, pb.AuthStatusRequest()) == "authRevision: 1"
    assert ask(engine, pb.AuthUserListRequest(), token) == "ok"


def test_a_request_that_is_too_large_is_refused_after_its_token() -> None:
    engine = Engine()
    enable(engine)
    for token, code in (("", StatusCode.INVALID_ARGUMENT), ("no.1", StatusCode.UNAUTHENTICATED)):
        with pytest.raises(EtcdError) as refusal:
            engine.call("/etcdserverpb.Auth/RoleAdd", pb.AuthRoleAddRequest(name="r" * 1_600_000), token)
        assert refusal.value.code is code
    assert "too large" in ask(engine, pb.AuthRoleAddRequest(name="r" * 1_600_000))


@pytest.mark.skipif(find_spec("jwt") is None, reason="PyJWT isn't installed")
def test_a_read_only_txn_needs_a_signed_token_of_the_present_revision_even_if_it_is_empty(tmp_path: Path) -> None:
    """etcd: server/etcdserver/v3_server.go doSerialize. A write is refused where it has a permission to be checked."""
    key = tmp_path / "key"
    key.write_bytes(b"x" * 32)
    engine = Engine(auth_token=f"jwt,sign-method=HS256,priv-key={key}")
    enable(engine)
    token = login(engine, "root", "r")

    def txn(*success: pb.RequestOp) -> str:
        try:
            engine.call("/etcdserverpb.KV/Txn", pb.TxnRequest(success=success), token)
        except EtcdError as error:
            return str(error)
        return "ok"

    nested = pb.RequestOp(request_txn=pb.TxnRequest())
    assert (txn(), txn(nested)) == ("ok", "ok")
    assert ask(engine, pb.AuthRoleAddRequest(name="r"), token) == "ok"
    assert (txn(), txn(nested)) == ("INVALID_ARGUMENT: etcdserver: revision of auth store is old", "ok")
