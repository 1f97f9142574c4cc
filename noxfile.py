"""A core of the tests in fresh environments: with the oldest dependencies that pyproject.toml allows, and the newest.

`make matrix` runs all that this machine has a Python for; `make matrix SESSIONS=oldest` those with the oldest ones, and
`PYTHONS='3.10 3.13'` those of these Pythons.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

# Those of pyenv are found too, and none is downloaded.
_PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, sorted(_PYENV.glob("versions/3.*/bin")))])
os.environ["UV_PYTHON_DOWNLOADS"] = "never"

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "no"

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
CORE = (
    "model/test_model_txn.py",
    "fake/test_fake_aio.py",
    "fake/test_fake_channel.py",
    "fake/test_fake_server.py",
    "fake/test_fake_watch.py",
    "stateful_tests/test_lockstep_codec.py",
    "stateful_tests/test_agreement.py",
)
"""Tests of all that depends on a dependency's version: messages, channels, servers, a real etcd that is started."""


@nox.session(python=PYTHONS)
@nox.parametrize("resolution", [nox.param("lowest-direct", id="oldest"), nox.param("highest", id="newest")])
def core(session: nox.Session, resolution: str) -> None:
    """Install from scratch, import with every warning an error, and run the core."""
    session.install("--resolution", resolution, ".[etcd]", "pytest>=8.3", "trustme>=1.1")
    session.run("python", "-W", "error", "-c", "import etcd_lockstep, fake_etcd, etcd_lockstep.console.cli")
    session.run("pytest", "-q", "-p", "no:cacheprovider", "--etcd-source", "binary", *CORE)
