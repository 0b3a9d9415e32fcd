"""The repository as others get it: no registry addresses, no paths of one machine, a true lock, a whole wheel."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("exchange", "keys", "schemas")
REGISTRY = re.compile(
    r"\b(?:pypi[.]org|pythonhosted[.]org|npmjs[.]org|debian[.]org|docker[.]io|ghcr[.]io|quay[.]io|golang[.]org)\b"
    r"|https?://[^\s\"]+/(?:simple|packages|pool|dists)/"
)
MACHINE_PATH = re.compile(r"(?<![\w.~}-])/(?:home|root|Users|work|opt/(?:pypi|wheels)\S*)/")
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+) \\\n    --hash=sha256:[0-9a-f]{64}(?: \\)?$", re.MULTILINE)


def texts() -> dict[str, str]:
    """Every text file that is, or is about to be, committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file():
            try:
                found[name] = path.read_text("utf-8")
            except UnicodeDecodeError:
                continue
    return found


def machine_bound(text: str) -> list[str]:
    return [match.group() for pattern in (REGISTRY, MACHINE_PATH) for match in pattern.finditer(text)]


@pytest.mark.parametrize("host", ["pypi", "files.pythonhosted", "deb.debian"])
def test_an_address_of_a_registry_is_seen(host: str) -> None:
    assert machine_bound(f"see {host}.org") != []


@pytest.mark.parametrize("folder", ["home", "work", "root"])
def test_a_path_of_one_machine_is_seen(folder: str) -> None:
    assert machine_bound(f"in /{folder}/somebody/file") != []


def test_no_committed_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = texts()
    assert "pyproject.toml" in found
    assert {name: names for name, text in found.items() if (names := machine_bound(text))} == {}


def test_the_lock_holds_every_dependency_in_its_range_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    optional = project["project"]["optional-dependencies"].values()
    declared = [*project["project"]["dependencies"], *project["build-system"]["requires"], *chain(*optional)]
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pins = {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(lock)}
    for requirement in map(Requirement, declared):
        assert pins.get(canonicalize_name(requirement.name), "absent") in requirement.specifier
    assert len(pins) == lock.count("==")


def test_the_lock_holds_no_option_but_hashes() -> None:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    assert {line.split("=")[0] for line in lines if line.lstrip().startswith("-")} == {"    --hash"}


def test_the_wheel_holds_the_packages_with_their_data(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(tmp_path), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        shipped = set(wheel.namelist())
    expected = {name for name in texts() if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    assert expected - shipped == set()
    assert {name.split("/")[0] for name in shipped if ".dist-info/" not in name} == set(PACKAGES)
