"""Lists of hosts as people and Slurm write them, and what is refused in them."""

import pytest

from bench.errors import UsageError
from bench.execute.hosts import MOST_HOSTS, expanded, hosts_of

LISTS = {
    "a": ["a"],
    "a, b ,": ["a", "b"],
    "gpu[1-3]": ["gpu1", "gpu2", "gpu3"],
    "gpu[01-03,7],login": ["gpu01", "gpu02", "gpu03", "gpu7", "login"],
    "n[098-101]": ["n098", "n099", "n100", "n101"],
    "rack[1-2]n[3,4]-ib": ["rack1n3-ib", "rack1n4-ib", "rack2n3-ib", "rack2n4-ib"],
    "me@10.0.0.7,pod/bench-0": ["me@10.0.0.7", "pod/bench-0"],
    "": [],
}
BAD = {
    "gpu[1-": "brackets that do not match",
    "gpu]1[": "brackets that do not match",
    "gpu[[1]]": "brackets that do not match",
    "gpu[]": "[] holds no numbers such as 01-03,7",
    "gpu[a-b]": "[a-b] holds no numbers",
    "gpu[3-1]": "[3-1] holds no numbers",
    "gpu[1-]": "[1-] holds no numbers",
    "gpu[1-99999999]": f"more than {MOST_HOSTS} hosts",
    "gpu[0-999][0-999][0-999]": f"more than {MOST_HOSTS} hosts",
    "-oProxyCommand=x": "'-oProxyCommand=x' is no name of a host",
    "a;b": "'a;b' is no name of a host",
    "a b": "'a b' is no name of a host",
    "ä": "'ä' is no name of a host",
}


@pytest.mark.parametrize("nodes", LISTS)
def test_hostlist(nodes: str) -> None:
    """Slurm's short form becomes names, in order and as wide as written."""
    assert expanded(nodes, "--hosts") == LISTS[nodes]


@pytest.mark.parametrize("nodes", BAD)
def test_bad_hostlist(nodes: str) -> None:
    """What is no list of hosts is refused in one line that shows it."""
    with pytest.raises(UsageError) as caught:
        expanded(nodes, "--hosts")
    assert str(caught.value).startswith(f"--hosts {nodes}: ")
    assert BAD[nodes] in str(caught.value)


def test_hosts_come_from_slurm_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--hosts` wins over the allocation, the allocation over nothing; an empty `--hosts` is a slip."""
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
    assert (hosts_of(None), hosts_of("x")) == (["n1", "n2"], ["x"])
    monkeypatch.delenv("SLURM_JOB_NODELIST")
    assert hosts_of(None) == []
    with pytest.raises(UsageError, match="no host in it"):
        hosts_of(" , ")
