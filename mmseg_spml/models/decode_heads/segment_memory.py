"""Memory of segments from previous training steps."""

import logging
from collections import deque

import torch
from mmengine.logging import print_log
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_spml.functional.segments.segments import Segments


@MODELS.register_module()
class SegmentMemory(nn.Module):
    """Segments of the last ``steps`` optimizer steps, detached and not recomputed.

    :class:`~mmseg_spml.engine.SegmentMemoryHook` keeps the memory in checkpoints. It is
    no part of the ``state_dict``, because its size changes from step to step, which
    averages of weights (``EMAHook``) could not follow.

    Args:
        steps: Number of steps M to keep; 0 keeps nothing.
    """

    def __init__(self, steps: int = 2) -> None:
        super().__init__()
        if steps < 0:
            raise ValueError(f'steps must not be negative, got {steps}')
        self.steps = steps
        self.forwards_per_step = 1
        """Forward passes per optimizer step (gradient accumulation)."""
        self.in_checkpoints = False
        """Whether a hook keeps the memory in checkpoints."""
        self.clear()

    def extra_repr(self) -> str:
        """Text that ``print(model)`` shows."""
        return f'steps={self.steps}'

    def clear(self) -> None:
        """Remove all segments."""
        self._kept: deque[Segments] = deque(maxlen=self.steps)
        self._pending: list[Segments] = []

    def segments(self, device: torch.device) -> Segments | None:
        """All kept segments from oldest to newest, or None if there are none."""
        if not self._kept:
            return None
        return Segments.concat([kept.to(device) for kept in self._kept])

    def append(self, segments: Segments) -> None:
        """Add the segments of a training step.

        Args:
            segments: Segments of all ranks; pixels are not kept.
        """
        if not self.steps:
            return
        if not (self.in_checkpoints or self._kept or self._pending):
            print_log(
                'No SegmentMemoryHook is in custom_hooks: checkpoints lack the segment '
                'memory, so that a resumed training differs from an uninterrupted one.',
                logger='current',
                level=logging.WARNING,
            )
        self._pending.append(segments.to_memory())
        if len(self._pending) >= self.forwards_per_step:
            # After resuming, the loaded segments are on the CPU.
            device = segments.label.device
            self._kept.append(
                Segments.concat([part.to(device) for part in self._pending])
            )
            self._pending = []

    def state(self) -> dict[str, list[dict[str, Tensor]]]:
        """Tensors of all segments, on the CPU, for a checkpoint."""
        parts = dict(kept=self._kept, pending=self._pending)
        cpu = torch.device('cpu')
        return {
            name: [segments.to(cpu).tensors() for segments in part]
            for name, part in parts.items()
        }

    def load_state(self, state: dict[str, list[dict[str, Tensor]]]) -> None:
        """Restore what :meth:`state` returned.

        The memory stays empty, with a warning, if an earlier version of the package
        saved the state.
        """
        try:
            kept, pending = (
                [Segments(**tensors).to_memory() for tensors in state[name]]
                for name in ('kept', 'pending')
            )
        except TypeError:
            self.clear()
            print_log(
                'The checkpoint holds a segment memory of an earlier version of '
                'mmseg_spml, which is left out: a resumed training starts with an '
                'empty memory and differs from an uninterrupted one.',
                logger='current',
                level=logging.WARNING,
            )
        else:
            self._kept, self._pending = deque(kept, self.steps), pending
