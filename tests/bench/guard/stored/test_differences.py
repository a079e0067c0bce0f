"""What differs between the environments of runs, in words, whoever wrote them."""

import pytest

from bench.guard.stored.differences import differences_of, facts_of
from tests.bench.guard.stored.conftest import machine
from tests.bench.report.conftest import run


def differences_between(*environments):
    return differences_of([facts_of(run([], environment=environment)) for environment in environments])


def found_in(*environments):
    return {one.what: one.values for one in differences_between(*environments).found}


def test_the_same_environment_differs_in_nothing():
    """Neither does what passes: load that takes no part, and free memory."""
    one = machine(load_1min=0.1, memory_available_bytes=5)
    found = differences_between(one, machine(load_1min=0.2))
    assert found.found == ()
    assert found.untold == ()


@pytest.mark.parametrize(
    ("change", "what", "values"),
    [
        ({"cpu_model": "Xeon"}, "cpu model", ("AMD EPYC", "Xeon")),
        ({"usable_cpus": 4}, "usable cpus", ("2", "4")),
        ({"gpus": ["H100", "H100", "A100"]}, "GPUs", ("none", "1 × A100 + 2 × H100")),
        ({"packages": {"tensorflow": "2.21.0"}}, "version of tensorflow", ("none", "2.21.0")),
        ({"variables": {"XLA_FLAGS": "--x"}}, "variable XLA_FLAGS", ("not set", "--x")),
        ({"exact_unit": "f" * 16}, "exact unit", ("6a12a98c2b3187f3", "f" * 16)),
        ({"load_1min": 1.5}, "load before the run", ("idle", "1.5 on 2 CPUs")),
        ({"something_new": [1, 2]}, "something new", ("3", "1, 2")),
    ],
)
def test_each_fact_that_differs_is_told(change, what, values):
    """With the words of each run, a fact of a later version included."""
    first = machine(load_1min=0.0, something_new=[3])
    second = first | change
    assert found_in(first, second)[what] == values


def test_memory_is_compared_in_whole_gib():
    """Kernels keep some of it for themselves; a real difference is told."""
    assert found_in(machine(memory_bytes=25276502016), machine(memory_bytes=25276063744)) == {}
    assert found_in(machine(memory_bytes=2**34), machine(memory_bytes=2**35)) == {"memory (GiB)": ("16", "32")}


def test_settings_of_gpus_are_told_once_where_all_have_them():
    """A power limit that one of two GPUs has is told of each."""
    states = [{"power_limit_w": 700.0}, {"power_limit_w": 700.0}]
    capped = [{"power_limit_w": 700.0}, {"power_limit_w": 500.0}]
    found = found_in(machine(gpu_states=states), machine(gpu_states=capped))
    assert found == {"GPU power limit (W)": ("700.0", "700.0, 500.0")}


def test_data_and_options_differ_too():
    """They are no part of the machine, but of what a figure depends on."""
    runs = [
        run([], environment=machine()),
        run([], environment=machine(), data_sha256="ab" * 32, launched={"--hosts": "n1"}),
    ]
    found = {one.what: one.values for one in differences_of(list(map(facts_of, runs))).found}
    assert found["data sha256"][1] == "abababababab"
    assert found["option --hosts"] == ("not given", "n1")


def test_what_an_older_run_does_not_tell_is_no_difference():
    """It is listed by name."""
    older = {name: value for name, value in machine().items() if name != "code_sha256"}
    found = differences_between(older, machine())
    assert found.found == ()
    assert found.untold == ("code sha256",)


@pytest.mark.parametrize(
    "hostile",
    [
        {"gpus": 5, "packages": [], "variables": "x", "gpu_states": [1], "usable_cpus": "two", "load_1min": "high"},
        {"cpu_model": {"a": ["\x1b[31m" * 1000]}, "host": "\n\n|<script>"},
        {f"fact {number}": number for number in range(5000)},
    ],
)
def test_hostile_environments_are_words_on_one_line(hostile):
    """Any type may stand anywhere, and any number of facts: what is told stays short and printable."""
    found = differences_between(machine(), machine() | hostile)
    assert len(found.found) <= 60
    assert all(len(text) <= 100 and text.isprintable() for one in found.found for text in (one.what, *one.values))


def test_too_many_differences_are_counted():
    """The first of them are told, the rest is a number."""
    one, other = ({f"fact {number}": value for number in range(70)} for value in (1, 2))
    assert differences_between(one, other).more == 10
