"""Hook that shows how far validation and testing have come."""

import time
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_spml.io.progress import SECONDS_BETWEEN_LINES, progress_line


@HOOKS.register_module()
class TestProgressHook(Hook):
    """Logs the progress of validation and testing at regular times.

    MMEngine's ``LoggerHook`` does so after a number of images, which may take minutes
    if images are large or few.

    Args:
        seconds: The time in seconds between two lines.

    Raises:
        ValueError: ``seconds`` is not above 0.
    """

    __test__ = False  # the name is not one of a test
    priority = 'VERY_LOW'

    def __init__(self, seconds: float = SECONDS_BETWEEN_LINES) -> None:
        if not seconds > 0:
            raise ValueError(f'seconds must be above 0, got {seconds}')
        self.seconds = seconds

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self._start = self._told = time.monotonic()

    @master_only
    def _after_iter(
        self, runner: Runner, batch_idx: int, *args: Any, mode: str = 'train', **_: Any
    ) -> None:
        if mode == 'train':
            return
        now = time.monotonic()
        if now - self._told < self.seconds:
            return
        self._told = now
        loop = runner.val_loop if mode == 'val' else runner.test_loop
        done, total = batch_idx + 1, len(loop.dataloader)
        line = progress_line(f'Iter({mode})', done, total, now - self._start)
        runner.logger.info(line)
