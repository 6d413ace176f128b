"""Ranks as threads of one process: collectives that autograd can run through."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from mmseg_spml.models.decode_heads import segment_gather


class Ranks:
    """Stand-in for ``torch.distributed`` in ``segment_gather``.

    Args:
        count: Number of ranks.
        monkeypatch: pytest's fixture.
    """

    def __init__(self, count: int, monkeypatch) -> None:
        self.count = count
        self.collectives = [0] * count
        self._local = threading.local()
        self._barrier = threading.Barrier(count, timeout=60)
        self._slots: list[Any] = [None] * count
        fake = SimpleNamespace(all_gather=self.all_gather, all_reduce=self.all_reduce)
        monkeypatch.setattr(segment_gather, 'dist', fake)
        monkeypatch.setattr(segment_gather, 'get_rank', lambda: self._local.rank)
        monkeypatch.setattr(segment_gather, 'get_world_size', lambda: count)

    def _exchange(self, value: Tensor) -> list[Tensor]:
        rank = self._local.rank
        self.collectives[rank] += 1
        self._slots[rank] = value.detach().clone()
        self._barrier.wait()
        slots = list(self._slots)
        self._barrier.wait()
        assert len({(slot.shape, slot.dtype) for slot in slots}) == 1
        return slots

    def all_gather(
        self, received: list[Tensor], value: Tensor, async_op: bool = False
    ) -> SimpleNamespace:
        for place, part in zip(received, self._exchange(value)):
            place.copy_(part)
        return SimpleNamespace(wait=lambda: None)

    def all_reduce(self, value: Tensor) -> None:
        value.copy_(torch.stack(self._exchange(value)).sum(0))

    def run(self, work: Callable[[int], Any]) -> list[Any]:
        """Results of ``work(rank)`` on all ranks."""
        results, errors = [None] * self.count, []

        def on_rank(rank: int) -> None:
            self._local.rank = rank
            try:
                results[rank] = work(rank)
            except Exception as error:  # noqa: BLE001  (raised again below)
                errors.append(error)
                self._barrier.abort()

        threads = [
            threading.Thread(target=on_rank, args=(r,)) for r in range(self.count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            broken = threading.BrokenBarrierError
            raise next((e for e in errors if not isinstance(e, broken)), errors[0])
        return results
