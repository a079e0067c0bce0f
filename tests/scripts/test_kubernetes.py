"""What can be known of the manifest without a cluster: that it agrees with itself, the image and the launcher."""

import re
from pathlib import Path

import yaml

SCRIPTS = Path(__file__).parents[2] / "scripts"
TEXT = (SCRIPTS / "kubernetes.yaml").read_text()


def test_pods_are_those_of_the_command_above_them() -> None:
    """The hosts that the comment names are the StatefulSet's pods, by its name and number."""
    hosts = re.search(r"--hosts (\S+)", TEXT)
    number = re.search(r"^  replicas: (\d+)$", TEXT, re.MULTILINE)
    assert hosts is not None
    assert number is not None
    assert hosts[1].split(",") == [f"bench-{pod}" for pod in range(int(number[1]))]


def test_manifest_is_yaml() -> None:
    """A service and a StatefulSet whose labels and names meet."""
    service, pods = yaml.safe_load_all(TEXT)
    assert (service["kind"], pods["kind"]) == ("Service", "StatefulSet")
    assert pods["spec"]["serviceName"] == service["metadata"]["name"]
    labels = pods["spec"]["template"]["metadata"]["labels"]
    assert labels == service["spec"]["selector"] == pods["spec"]["selector"]["matchLabels"]
