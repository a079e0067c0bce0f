"""The all-reduces of a trial of several replicas, led over a fake worker and merged over ranks."""

import time

import pytest

from bench.execute.collectives import sizes
from bench.execute.ranks import Ranks
from bench.measure.communication import communication_of
from bench.protocol.answers import CollectivesMeasured, Hello
from bench.protocol.commands import MeasureCollectives
from bench.protocol.conversation import PROTOCOL_VERSION

TWO = {"strategy": "mirrored", "replicas": 2, "epochs": 0}
AS_TWO = {"replicas": 2, "strategy": "MirroredStrategy", "devices": ["/device:CPU:0", "/device:CPU:1"]}


def test_several_replicas_measure_their_all_reduces(fake_worker, lead):
    """After the windows; latency and bandwidth are those of the worker, its tracing left out."""
    worker = fake_worker(effective=AS_TWO)
    record = lead(worker, **TWO)
    assert record.status == "ok"
    found = communication_of(record.collectives, 257_162, 2)
    assert abs(found.least.seconds - (1e-3 + 1e-8 * 4 * 32)) < 1e-9
    assert abs(found.gradient.seconds - (1e-3 + 1e-8 * 4 * 257_162)) < 1e-9
    assert {window.elements for window in record.collectives} == {32, 2**10, 2**14, 2**17, 257_162, 4 * 257_162}
    kinds = [command.kind for command in worker.said]
    assert kinds.index("measure_collectives") > max(place for place, kind in enumerate(kinds) if kind == "window")


def test_workers_that_dispatch_steps_dispatch_all_reduces(fake_worker, lead):
    """The gradient's stand on the record in both ways; those of `fused`, which loops inside its graph, in one."""
    apart = {"strategy": "multi_worker_mirrored", "replicas": 2, "workers": 2, "epochs": 0}
    told = AS_TWO | {"strategy": "CollectiveAllReduceStrategy"}
    found = communication_of(lead(fake_worker(effective=told), **apart).collectives, 257_162, 2)
    assert abs(found.of_a_step.seconds - found.gradient.seconds - 3e-3) < 1e-9
    record = lead(fake_worker(effective=told), engine="fused", **apart)
    assert not any(window.dispatched for window in record.collectives)


def test_every_message_has_something_in_it():
    """The least array has 64 bytes for each replica: of less, TensorFlow makes fewer messages than a ring has."""
    assert [sizes(10**6, replicas)[1] for replicas in (2, 8, 512)] == [32, 128, 8192]
    assert sizes(10**6, 512) == [10**6, 8192, 2**14, 2**17, 4 * 10**6]


@pytest.mark.parametrize(
    ("settings", "measured"),
    [
        ({"strategy": "multi_worker_mirrored", "workers": 2}, True),
        ({"strategy": "multi_worker_mirrored", "workers": 2, "engine": "fused"}, True),
        ({"strategy": "mirrored"}, False),
        ({"strategy": "mirrored", "engine": "fit"}, False),
    ],
)
def test_computing_is_measured_among_neighbours(fake_worker, lead, settings, measured):
    """Of workers, without waiting for each other; not of logical CPUs that share cores, nor of Keras's own loop."""
    told = AS_TWO | {
        "strategy": {"mirrored": "MirroredStrategy"}.get(settings["strategy"], "CollectiveAllReduceStrategy")
    }
    record = lead(fake_worker(effective=told, step_s=0.1), replicas=2, epochs=0, **settings)
    assert record.status == "ok"
    assert (record.computing is not None) == measured
    for window in record.computing or []:
        assert window.window_s / window.steps == pytest.approx(0.075)
        assert window.window_s >= 0.2
        assert window.steps > 2  # the buffered batches


def test_computing_ends_on_a_slow_machine(fake_worker, lead):
    """After the budget there are no more windows than the fewest, however long one takes."""
    told = AS_TWO | {"strategy": "CollectiveAllReduceStrategy"}
    slow = {"replicas": 2, "workers": 2, "strategy": "multi_worker_mirrored", "epochs": 0}
    record = lead(fake_worker(effective=told, step_s=0.6), budget_s=60, **slow)
    assert len(record.computing) == 3
    slower = lead(fake_worker(effective=told, step_s=2.0), budget_s=60, **slow)
    assert (slower.status, slower.computing) == ("ok", None), "steps too long for all of it are not trained again"


def test_one_replica_has_none(fake_worker, lead):
    """Nothing is summed, so nothing is measured, and nothing stands on the record."""
    worker = fake_worker()
    record = lead(worker, epochs=0)
    assert (record.collectives, record.computing) == (None, None)
    assert not any(isinstance(command, MeasureCollectives) for command in worker.said)


def test_a_search_does_without(fake_worker, lead):
    """Where only what trains is asked, all-reduces would cost more than the trial."""
    record = lead(fake_worker(effective=AS_TWO), communication=False, **TWO)
    assert (record.status, record.collectives) == ("ok", None)


class Rank:
    """A session that answers an all-reduce in its own time."""

    def __init__(self, window_s):
        self.window_s, self.exchanged_bytes, self.greeted, self.asked = window_s, 0, False, []

    def say(self, command):
        self.asked.append(command)

    def hear(self, timeout_s):
        if not self.greeted:
            self.greeted = True
            return Hello(protocol_version=PROTOCOL_VERSION, host="here", pid=1, versions={})
        while not self.asked:
            time.sleep(0.01)
        asked = self.asked.pop()
        return CollectivesMeasured(elements=asked.elements, calls=asked.calls, window_s=self.window_s)

    def close(self):
        pass


def test_ranks_are_as_slow_as_the_slowest():
    """Every rank is asked, one answer is heard."""
    session = Ranks([Rank(0.2), Rank(0.5), Rank(0.3)])
    session.hear(5)
    session.say(MeasureCollectives(elements=10, calls=2))
    assert session.hear(5) == CollectivesMeasured(elements=10, calls=2, window_s=0.5)
