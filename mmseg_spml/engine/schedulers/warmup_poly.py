"""Learning rate schedule of SPML."""

from typing import List

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmseg.registry import PARAM_SCHEDULERS

from mmseg_spml.functional.schedule import warmup_poly_lr


@PARAM_SCHEDULERS.register_module()
class WarmupPolyLR(LRSchedulerMixin, _ParamScheduler):
    """Polynomial decay under a linear warm-up, by the iteration.

    See :func:`~mmseg_spml.functional.schedule.warmup_poly_lr`. The factor is one for
    all groups, each relative to its own initial rate.

    Args:
        optimizer: Optimiser or its wrapper.
        max_iters: Iteration at which the rate is 0.
        power: Exponent of the decay.
        warmup_iters: Length of the warm-up, in iterations.
        warmup_ratio: Share of the rate at iteration 0.
        by_epoch: Must be False.
        **kwargs: As for MMEngine's schedulers, but for ``end``, which the runner may
            fill in with a number of *epochs*: the schedule ends at ``max_iters``.

    Raises:
        ValueError: If ``by_epoch`` is True.
    """

    def __init__(
        self,
        optimizer,
        max_iters: int,
        power: float = 0.9,
        warmup_iters: int = 100,
        warmup_ratio: float = 0.1,
        by_epoch: bool = False,
        **kwargs,
    ) -> None:
        if by_epoch:
            raise ValueError('WarmupPolyLR counts iterations: by_epoch must be False')
        kwargs['end'] = max_iters + 1
        self.max_iters = max_iters
        self.power = power
        self.warmup_iters = warmup_iters
        self.warmup_ratio = warmup_ratio
        super().__init__(optimizer, by_epoch=by_epoch, **kwargs)

    def _get_value(self) -> List[float]:
        return [
            warmup_poly_lr(
                self.last_step,
                base,
                self.max_iters,
                self.power,
                self.warmup_iters,
                self.warmup_ratio,
            )
            for base in self.base_values
        ]
