"""How this project's own processes import gRPC."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request

import grpc

from fake_etcd.stubs import stubs
from fake_etcd.wire import messages as pb

VARIABLE = "GRPC_EXPERIMENTS"


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != VARIABLE}
    command = (sys.executable, "-W", "error", "-c", code)
    return subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=False, timeout=60)


def test_grpc_knows_what_it_is_told_and_other_programs_are_told_nothing() -> None:
    ended = run(
        "import os\n"
        "from etcd_lockstep.grpc_import import import_grpc\n"
        "import_grpc()\n"
        "import grpc\n"
        "grpc.insecure_channel('127.0.0.1:1').close()\n"
        f"print(os.environ.get('{VARIABLE}'))\n"
    )
    assert (ended.returncode, ended.stdout) == (0, "None\n")
    assert ended.stderr == "", "gRPC names an experiment here that it doesn't know"


def test_who_has_set_the_variable_decides() -> None:
    code = "import os\nfrom etcd_lockstep.grpc_import import import_grpc\nimport_grpc()\n"
    ended = run(f"{code}print(os.environ['{VARIABLE}'])", **{VARIABLE: "event_engine_client"})
    assert ended.stdout == "event_engine_client\n"


def test_the_fake_s_command_serves_grpc_and_http() -> None:
    code = "import sys; from etcd_lockstep.console.entry import fake_etcd; sys.exit(fake_etcd())"
    command = (sys.executable, "-c", code, "--listen-client-urls", "http://127.0.0.1:0", "--etcd-version", "3.6.16")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().rpartition("http://")[2]
            with grpc.insecure_channel(address) as channel:
                assert stubs(channel).kv.Put(pb.PutRequest(key=b"a"), timeout=10).header.revision == 2
            with urllib.request.urlopen(f"http://{address}/health", timeout=10) as answer:
                assert b"true" in answer.read()
            process.terminate()
            _, err = process.communicate(timeout=10)
            assert (process.returncode, err) == (0, "")
        finally:
            process.kill()
