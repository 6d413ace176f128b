"""Hook that prepares the segment memory for training."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_spml.models.decode_heads.segment_memory import SegmentMemory


@HOOKS.register_module()
class SegmentMemoryHook(Hook):
    """Clears the memory at the start of training and sets the forward passes per step.

    Checkpoints contain the memory, which must be kept with ``--resume`` but not with
    ``load_from``.
    """

    def before_train(self, runner: Runner) -> None:
        """Prepare the memories of the model."""
        forwards = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        for module in runner.model.modules():
            if isinstance(module, SegmentMemory):
                module.forwards_per_step = forwards
                if runner.iter == 0:
                    module.clear()
