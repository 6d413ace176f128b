"""SGD with the learning rate applied inside the momentum buffer."""

from collections.abc import Callable, Iterable

import torch
from mmseg.registry import OPTIMIZERS
from torch.optim import Optimizer


@OPTIMIZERS.register_module()
class LRMomentumSGD(Optimizer):
    """SGD with a momentum buffer of steps instead of gradients.

    The update is ``m <- mu m + lr (g + wd p)``, ``p <- p - m``, as in the authors'
    release. PyTorch's SGD multiplies the whole buffer by the *current* rate
    (``m <- mu m + g``, ``p <- p - lr m``); the two differ while the rate changes.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate, ``>= 0``.
        momentum: Momentum ``mu``, in ``[0, 1)``.
        weight_decay: Weight decay ``wd``, ``>= 0``.

    Raises:
        ValueError: If a value is out of range.

    Example:
        >>> p = torch.ones(1, requires_grad=True)
        >>> optimizer = LRMomentumSGD([p], lr=0.1)
        >>> p.grad = torch.ones(1)
        >>> optimizer.step(); p
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        if lr < 0 or not 0 <= momentum < 1 or weight_decay < 0:
            raise ValueError(
                'expected lr >= 0, 0 <= momentum < 1 and weight_decay >= 0, got '
                f'lr={lr}, momentum={momentum}, weight_decay={weight_decay}'
            )
        defaults = dict(lr=lr, momentum=momentum, weight_decay=weight_decay)
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(  # type: ignore[override]  # PyTorch's has overloads
        self, closure: Callable[[], float] | None = None
    ) -> float | None:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group['params'] if p.grad is not None]
            if not params:
                continue
            steps = torch._foreach_add(
                [p.grad for p in params], params, alpha=group['weight_decay']
            )
            torch._foreach_mul_(steps, group['lr'])
            for p, step in zip(params, steps):
                buffer = self.state[p].get('momentum_buffer')
                if buffer is None:
                    self.state[p]['momentum_buffer'] = step
                else:
                    buffer.mul_(group['momentum']).add_(step)
            buffers = [self.state[p]['momentum_buffer'] for p in params]
            torch._foreach_sub_(params, buffers)
        return loss
