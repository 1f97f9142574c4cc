"""Builds the wheel, looks at what is in it, and runs the suite against it in a virtual environment of its own."""

import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {"etcd_model": "model", "fake_etcd": "fake", "etcd_lockstep": "stateful_tests"}
MADE_BY_THE_BUILD = {
    f"fake_etcd/{folder}/messages.{suffix}" for folder in ("wire", "control") for suffix in ("binpb", "pyi")
}


def tracked() -> list[str]:
    """The files of the checkout that git knows."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    return listed.stdout.split()


def expected() -> set[str]:
    """What the wheel has to hold besides its metadata: each package whole, and what the build makes."""
    return MADE_BY_THE_BUILD | {
        str(Path(name).relative_to(folder))
        for name in tracked()
        for package, folder in PACKAGES.items()
        if name.startswith(f"{folder}/{package}/")
    }


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [sys.executable, "-m", "build", "--wheel", "--outdir", scratch, str(ROOT)],
            check=True,
            stdout=subprocess.PIPE,
        )
        (wheel,) = Path(scratch).glob("*.whl")
        held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
        if held != expected():
            print(
                f"missing from the wheel: {sorted(expected() - held)}\nnot expected in it: {sorted(held - expected())}"
            )
            return 1
        print(f"{wheel.name}: {len(held)} files, as expected")

        environment = Path(scratch, "venv")
        venv.create(environment, with_pip=True)
        python = environment / "bin" / "python"
        requirement = f"etcd-lockstep[campaign,etcd,containers,etcd3,aetcd,html,tls,jwt,bcrypt] @ {wheel.as_uri()}"
        tests_need = ["pytest>=8.3", "jsonschema>=4.23"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", requirement, *tests_need], check=True)

        # The tests without the sources: what they import can only come from the wheel.
        suite = Path(scratch, "suite")
        for name in tracked():
            if not any(name.startswith(f"{folder}/{package}/") for package, folder in PACKAGES.items()):
                target = suite / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)  # scripts stay executable
        return subprocess.run([python, "-m", "pytest", "-q", *sys.argv[1:]], cwd=suite, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
