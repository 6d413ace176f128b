"""Mixed precision training on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """``OptimWrapper`` that runs the forward pass under bfloat16 autocast on the CPU.

    MMEngine's ``AmpOptimWrapper`` requires an accelerator. bfloat16 has the range of
    float32, so no loss scaling is needed.

    Args:
        **kwargs: Arguments of ``OptimWrapper``.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> wrapper = CPUAmpOptimWrapper(optimizer=optimizer)
        >>> with wrapper.optim_context(model):
        ...     model(torch.ones(1, 2)).dtype
        torch.bfloat16
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast context of one training step; see ``OptimWrapper``."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
