import threading
import time

import pytest
import torch
from torch import Tensor

from facestudy.models.transfer import AHEAD, groups_on, in_advance, streamed
from tests.meta_device import Crossings

CPU = torch.device("cpu")
GROUPS = torch.split(torch.arange(23), 4)


def test_groups_are_the_same_on_the_device_after_one_copy() -> None:
    assert all(torch.equal(one, two) for one, two in zip(groups_on(CPU, GROUPS), GROUPS, strict=True))
    with Crossings() as crossings:
        there = groups_on(torch.device("meta"), GROUPS)
    assert [len(group) for group in there] == [4, 4, 4, 4, 4, 3] and len(crossings.seen) == 1


def test_rows_are_read_into_the_tensors_of_their_batches() -> None:
    table = torch.rand(23, 2, 3)
    read = lambda rows, out: torch.index_select(table, 0, rows, out=out)  # noqa: E731
    batches = list(streamed(read, GROUPS, (2, 3), torch.float32, CPU))
    assert all(torch.equal(batch, table[rows]) for batch, rows in zip(batches, GROUPS, strict=True))


def test_a_thread_works_in_advance_in_order_and_no_further() -> None:
    begun: list[int] = []

    def work(group: Tensor) -> Tensor:
        assert threading.current_thread() is not threading.main_thread()
        begun.append(int(group[0]))
        return group * 2

    taken = in_advance(work, GROUPS)
    assert torch.equal(next(taken), GROUPS[0] * 2)
    time.sleep(0.2)
    assert begun == [int(group[0]) for group in GROUPS[: 1 + AHEAD]]
    assert [int(ready[0]) for ready in taken] == [2 * int(group[0]) for group in GROUPS[1:]]
    taken = in_advance(work, GROUPS[:1])
    assert torch.equal(next(taken), GROUPS[0] * 2) and next(taken, None) is None


def test_the_thread_ends_where_its_work_fails_or_nobody_asks_on() -> None:
    def work(group: Tensor) -> Tensor:
        if group[0] == 8:
            raise OSError("the disk is gone")
        return group

    taken = in_advance(work, GROUPS)
    next(taken)
    with pytest.raises(OSError, match="the disk is gone"):
        list(taken)
    taken = in_advance(work, GROUPS)
    next(taken)
    taken.close()  # type: ignore[attr-defined]
    assert [each.name for each in threading.enumerate() if each.name.startswith("ThreadPoolExecutor")] == []
