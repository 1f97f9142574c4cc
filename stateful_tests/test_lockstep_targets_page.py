"""The examples of docs/targets.md run as the page says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from google.protobuf.message import Message

from etcd_lockstep.console.cli import main
from fake_etcd import Engine, serve
from fake_etcd.wire import messages

PROGRAM = (sys.executable, "-c", "import sys; from etcd_lockstep.console.cli import main; sys.exit(main())")

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("elsewhere")


PAGE = Path(__file__).parents[1] / "docs" / "targets.md"


def examples() -> dict[str, str]:
    """The page's modules by their name, which their first line says."""
    blocks = re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    return dict(blocks)


def test_the_complete_example_of_the_page_runs_and_lies(elsewhere: Path) -> None:
    example = examples()["my_target"]
    assert len(example.splitlines()) < 40
    (elsewhere / "my_target.py").write_text(example)
    against = ["--against", "my_target:MyMock", "--examples", "150", "--seed", "1", "--json", "summary.json"]
    ended = subprocess.run(
        [*PROGRAM, "fuzz", "--etcd", "none", *against], cwd=elsewhere, capture_output=True, timeout=120, check=False
    )
    assert ended.stderr == b""
    assert ended.returncode == 1
    whole = json.loads((elsewhere / "summary.json").read_text())
    reported = {(finding["odd_one_out"], finding["fingerprint"].split(" after ")[0]) for finding in whole["lies"]}
    assert reported >= {
        ("my-mock", "put error accepted (etcdserver: key is not provided)"),
        ("my-mock", "* kv.version missing"),
        ("my-mock", "put prev_kv missing"),
    }
    assert not any(finding["difference"].startswith("raised") for finding in whole["lies"])


def test_the_server_of_the_page_is_reached(elsewhere: Path, capsys: Capture) -> None:
    class CountsOneMore(Engine):
        def call(
            self, path: str, request: Message, token: str = "", cancelled: threading.Event | None = None
        ) -> Message:
            answer = super().call(path, request, token, cancelled)
            if isinstance(answer, messages.RangeResponse):
                answer.count += 1
            return answer

    example = examples()["my_server"]
    with serve(CountsOneMore(), "127.0.0.1:0") as server:
        (elsewhere / "my_server.py").write_text(example.replace("127.0.0.1:23790", server.address))
        arguments = ["--etcd", "none", "--seed", "1", "--examples", "15", "--against", "my_server:MyServer"]
        assert main(["fuzz", *arguments]) == 1
    reported = capsys.readouterr().out
    headlines = re.findall(r"^\d+\. (.*)$", reported, flags=re.MULTILINE)
    assert "my-server lies: range: count unexpected" in headlines
    assert all(headline.startswith("my-server lies: range") and "count" in headline for headline in headlines)
    assert "seen once" not in reported


@pytest.mark.usefixtures("elsewhere")
def test_a_server_of_the_page_that_is_emptied_in_another_way(capsys: Capture) -> None:
    example = examples()["without_leases"]
    with serve(Engine(), "127.0.0.1:0") as server:
        Path("without_leases.py").write_text(example.replace("127.0.0.1:23790", server.address))
        arguments = ["--etcd", "none", "--seed", "1", "--examples", "15", "--against", "without_leases:WithoutLeases"]
        assert main(["fuzz", *arguments]) == 0
    assert "every answer agreed" in capsys.readouterr().out
