"""MMEngine's runner with a console that shows what a user acts on."""

import logging
import re
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmseg.registry import RUNNERS

from mmseg_spml.engine.hooks.test_progress import TestProgressHook

# What goes to the log file alone: hundreds of lines on the environment, the config and
# the order of hooks, and advice to the authors of MMEngine and MMSegmentation.
_FILE_ALONE = re.compile(
    r'\s*(-{20,}\s*System environment|Config:\n|Hooks will be executed|Exp name: |'
    r'Distributed training is not used|The prefix is not set|"FileClient"|'
    r'"HardDiskBackend"|Failed to search registry with scope)'
)


@RUNNERS.register_module()
class ConciseRunner(Runner):
    """A runner whose console leaves out the environment, the config and the hooks.

    The log file has everything. Both show the progress of validation and testing.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build MMEngine's logger, and filter what its console shows."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(is_for_the_console)
        return logger

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the hooks of the config, and one that shows progress."""
        super().register_hooks(*args, **kwargs)
        self.register_hook(TestProgressHook())


def is_for_the_console(record: logging.LogRecord) -> bool:
    """Whether a record should be shown to a user while a command runs.

    Example:
        >>> make = logging.makeLogRecord
        >>> is_for_the_console(make(dict(msg='Iter(train) [50/600]  loss: 1.2')))
        True
        >>> is_for_the_console(make(dict(msg='Hooks will be executed in ...')))
        False
    """
    return not _FILE_ALONE.match(record.getMessage())
