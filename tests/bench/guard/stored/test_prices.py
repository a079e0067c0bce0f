"""What a machine costs, and which run a price is meant for."""

import pytest

from bench.errors import UsageError
from bench.guard.stored.compare import read_compared
from bench.guard.stored.prices import cost_of, images_for_one, priced
from tests.bench.guard.stored.conftest import machine, trials


@pytest.fixture
def runs(stored):
    gpus = machine(host="big", gpus=["H100", "H100"], machine_class={"id": "0123456789ab"})
    return read_compared([stored("run-one", trials(1000)), stored("run-two", trials(9000), environment=gpus)])


@pytest.mark.parametrize("name", ["B", "b", "run-two", "big", "BIG", "0123456789ab", "2 × H100"])
def test_a_price_fits_by_letter_folder_host_machine_or_class(runs, name):
    """Whichever of them is written, in whichever case."""
    assert [run.price_per_h for run in priced(runs, [f"{name}=2.5/h"])] == [None, 2.5]


def test_a_price_of_a_host_is_that_of_all_its_runs(stored):
    """Two runs of one host cost the same."""
    runs = read_compared([stored("a", trials(1)), stored("b", trials(1))])
    assert [run.price_per_h for run in priced(runs, ["here=2/h"])] == [2, 2]


def test_unknown_name_suggests_the_nearest(runs):
    """With all that would do."""
    with pytest.raises(UsageError, match=r"--price bgi: no run has that.*did you mean 'big'\?.*known here: .*run-one"):
        priced(runs, ["bgi=2/h"])


@pytest.mark.parametrize(
    "option", ["A", "A=", "A=2", "A=2/s", "=2/h", "A=-1/h", "A=0/h", "A=nan/h", "A=1e3/h", "A=inf/h"]
)
def test_what_is_no_price_is_refused(runs, option):
    """One line that shows what would be."""
    with pytest.raises(UsageError, match=r"such as A=2\.5/h"):
        priced(runs, [option])


def test_two_prices_for_one_run_are_refused(runs):
    """The same one twice does no harm."""
    assert priced(runs, ["A=2/h", "run-one=2/h"])[0].price_per_h == 2
    with pytest.raises(UsageError, match="run A has another price already"):
        priced(runs, ["A=2/h", "run-one=3/h"])


def test_images_and_costs_by_hand():
    """1,000 images/s at 2 an hour are 1.8 million for 1; 900 s of it cost a half."""
    assert images_for_one(1000.0, 2.0) == 1_800_000
    assert cost_of(900.0, 2.0) == 0.5
    assert images_for_one(None, 2.0) is None
    assert images_for_one(1000.0, None) is None
    assert cost_of(None, 2.0) is None
