"""Hook that prepares the segment memory for training and keeps it in checkpoints."""

import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn

from mmseg_spml.engine.unwrapping import unwrapped
from mmseg_spml.models.decode_heads.segment_memory import SegmentMemory

_KEY = 'segment_memory'


@HOOKS.register_module()
class SegmentMemoryHook(Hook):
    """Clears the memory at the start of training and sets the forward passes per step.

    Checkpoints contain the memory, beside the weights. It is kept with ``--resume`` but
    not with ``load_from``.
    """

    def before_train(self, runner: Runner) -> None:
        """Prepare the memories of the model."""
        forwards = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        for memory in _memories(runner.model).values():
            memory.forwards_per_step = forwards
            memory.in_checkpoints = True
            if runner.iter == 0:
                memory.clear()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the memories to the checkpoint."""
        memories = _memories(runner.model)
        if memories:
            checkpoint[_KEY] = {name: one.state() for name, one in memories.items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the memories of the checkpoint, with a warning if it lacks one."""
        states = checkpoint.get(_KEY, {})
        for name, memory in _memories(runner.model).items():
            if name in states:
                memory.load_state(states[name])
            elif getattr(runner, '_resume', False):
                print_log(
                    f'The checkpoint has no segment memory {name}: the resumed '
                    'training starts with an empty one and differs from an '
                    'uninterrupted one.',
                    logger='current',
                    level=logging.WARNING,
                )


def _memories(model: nn.Module) -> dict[str, SegmentMemory]:
    """Memories of a model, by their names in the segmentor."""
    modules = unwrapped(model).named_modules()
    return {name: one for name, one in modules if isinstance(one, SegmentMemory)}
