"""A hook that leaves two iterations of a training, so that its files keep their names.

``iter_30000.pth`` is what the documented commands go on from.
"""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

LEFT = 2
SHORT = 20


@HOOKS.register_module()
class LastIterations(Hook):
    """Jumps to the last iterations when the first one begins, unless they are few."""

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        """Count on from the end."""
        loop = runner.train_loop
        if loop.max_iters > SHORT:
            loop._iter = max(loop._iter, loop.max_iters - LEFT)
