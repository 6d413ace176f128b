"""Memory of the segments of earlier training steps."""

import io
from collections import deque
from typing import List, Optional

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_spml.functional.segments import Segments


@MODELS.register_module()
class SegmentMemory(nn.Module):
    """Segments of the last ``steps`` optimiser steps, detached and never refreshed.

    Part of the checkpoint (``get_extra_state``): its size changes from step to step,
    and a buffer of another size would be dropped silently on loading.

    Args:
        steps: Number of steps M to keep; 0 keeps nothing.
    """

    def __init__(self, steps: int = 2) -> None:
        super().__init__()
        if steps < 0:
            raise ValueError(f'steps must not be negative, got {steps}')
        self.steps = steps
        self.forwards_per_step = 1
        """Forward passes per optimiser step (gradient accumulation)."""
        self.clear()

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        return f'steps={self.steps}'

    def clear(self) -> None:
        """Forget everything."""
        self._kept = deque(maxlen=self.steps)
        self._pending: List[Segments] = []

    def segments(self, device: torch.device) -> Optional[Segments]:
        """All kept segments from oldest to newest, or None if there are none."""
        if not self._kept:
            return None
        return Segments.concat([kept.to(device) for kept in self._kept])

    def append(self, segments: Segments, num_images: int) -> None:
        """Keep the segments of a training step.

        Args:
            segments: Segments of all ranks; pixels are not kept.
            num_images: Images of all ranks in this step. *All* kept image numbers are
                raised by it, so that they never equal those of a coming step.
        """
        if not self.steps:
            return
        self._kept = deque(
            (kept.shift_images(num_images) for kept in self._kept), maxlen=self.steps
        )
        self._pending = [kept.shift_images(num_images) for kept in self._pending]
        self._pending.append(segments.to_memory().shift_images(num_images))
        if len(self._pending) >= self.forwards_per_step:
            # A resumed checkpoint lies on the CPU.
            device = segments.label.device
            self._kept.append(
                Segments.concat([part.to(device) for part in self._pending])
            )
            self._pending = []

    def get_extra_state(self) -> Tensor:
        """Kept segments as bytes: MMEngine broadcasts a state dict tensor by tensor."""
        state = dict(
            kept=[kept.tensors() for kept in self._kept],
            pending=[kept.tensors() for kept in self._pending],
        )
        buffer = io.BytesIO()
        torch.save(state, buffer)
        return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore what :meth:`get_extra_state` returned."""
        buffer = io.BytesIO(state.cpu().numpy().tobytes())
        state = torch.load(buffer, map_location='cpu', weights_only=True)
        self._kept = deque((Segments(**kept) for kept in state['kept']), self.steps)
        self._pending = [Segments(**kept) for kept in state['pending']]
