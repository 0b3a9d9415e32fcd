"""The image and the composition: well formed, and nothing in them runs with more rights than it needs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / tool, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def services() -> dict[str, Any]:
    shown = run("docker-compose", "config", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout)["services"]
    return found


def test_the_dockerfile_passes_hadolint() -> None:
    checked = run("hadolint", "Dockerfile")
    assert checked.returncode == 0, checked.stdout


def test_the_compose_file_is_valid() -> None:
    checked = run("docker-compose", "config", "--quiet")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_there_is_a_relay_and_a_node_for_each_of_three_states() -> None:
    assert services().keys() == {"relay", "node-kaz", "node-mng", "node-uzb"}


def test_no_service_has_rights_that_it_does_not_need() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.keys() & {"cap_add", "ports", "privileged", "user"}, name
        assert "CMD" in service["healthcheck"]["test"], name


def test_nodes_reach_the_relay_and_not_each_other() -> None:
    networks = {name: set(service["networks"]) for name, service in services().items()}
    nodes = [reached for name, reached in networks.items() if name != "relay"]
    assert all(len(reached) == 1 for reached in nodes)
    assert set.union(*nodes) == networks["relay"]
    assert len(networks["relay"]) == len(nodes)


def test_the_image_runs_as_an_unprivileged_user() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
