"""The all-reduces of a trial of several replicas, led over a fake worker and merged over ranks."""

import time

from bench.execute.ranks import Ranks
from bench.measure.communication import communication_of
from bench.protocol import CollectivesMeasured, Hello, MeasureCollectives

TWO = {"strategy": "mirrored", "replicas": 2, "epochs": 0}
AS_TWO = {"replicas": 2, "strategy": "MirroredStrategy", "devices": ["/device:CPU:0", "/device:CPU:1"]}


def test_several_replicas_measure_their_all_reduces(fake_worker, lead):
    """After the windows; latency and bandwidth are those of the worker, its tracing left out."""
    worker = fake_worker(effective=AS_TWO)
    record = lead(worker, **TWO)
    assert record.status == "ok"
    found = communication_of(record.collectives, 257_162, 2)
    assert abs(found.least.seconds - 1e-3) < 1e-6
    assert abs(found.gradient.seconds - (1e-3 + 1e-8 * 4 * 257_162)) < 1e-9
    assert {window.elements for window in record.collectives} == {1, 2**10, 2**14, 2**17, 257_162, 4 * 257_162}
    kinds = [command.kind for command in worker.said]
    assert kinds.index("measure_collectives") > max(place for place, kind in enumerate(kinds) if kind == "window")


def test_one_replica_has_none(fake_worker, lead):
    """Nothing is summed, so nothing is measured, and nothing stands on the record."""
    worker = fake_worker()
    record = lead(worker, epochs=0)
    assert record.collectives is None
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
            return Hello(protocol_version=3, host="here", pid=1, versions={})
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
