"""Learning rate schedule of SPML."""

from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmseg.registry import PARAM_SCHEDULERS
from torch.optim import Optimizer

from mmseg_spml.functional.schedule import warmup_poly_lr

_SCHEDULE = ('max_iters', 'power', 'warmup_iters', 'warmup_ratio', 'begin', 'end')


@PARAM_SCHEDULERS.register_module()
class WarmupPolyLR(LRSchedulerMixin, _ParamScheduler):
    """Polynomial decay with a linear warm-up, by iteration.

    See :func:`~mmseg_spml.functional.schedule.warmup_poly_lr`. The initial rate of
    every parameter group is multiplied by the same factor.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        max_iters: Iteration at which the rate is 0.
        power: Exponent of the decay.
        warmup_iters: Length of the warm-up, in iterations.
        warmup_ratio: Fraction of the initial rate at iteration 0.
        by_epoch: Must be False.
        **kwargs: Keyword arguments of MMEngine's schedulers. ``end`` is ignored,
            because the runner may set it to a number of *epochs*; the schedule ends at
            ``max_iters``.

    Raises:
        ValueError: If ``by_epoch`` is True.
    """

    def __init__(
        self,
        optimizer: Optimizer | OptimWrapper,
        max_iters: int,
        power: float = 0.9,
        warmup_iters: int = 100,
        warmup_ratio: float = 0.1,
        by_epoch: bool = False,
        **kwargs: Any,
    ) -> None:
        if by_epoch:
            raise ValueError('WarmupPolyLR counts iterations: by_epoch must be False')
        kwargs['end'] = max_iters + 1
        self.max_iters = max_iters
        self.power = power
        self.warmup_iters = warmup_iters
        self.warmup_ratio = warmup_ratio
        super().__init__(optimizer, by_epoch=by_epoch, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take the state of a checkpoint, but keep the schedule of the config.

        A run that goes on with a larger ``max_iters`` would have a rate of 0 otherwise.
        """
        own = {name: vars(self)[name] for name in _SCHEDULE}
        super().load_state_dict({**state_dict, **own})

    def _get_value(self) -> list[float]:
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
