"""When validation and testing say how far they have come."""

import logging
from types import SimpleNamespace

import pytest

from mmseg_spml.engine.hooks import TestProgressHook, test_progress
from mmseg_spml.engine.runner import is_for_the_console
from mmseg_spml.recipes.logged_call import PROGRESS


@pytest.fixture
def clock(monkeypatch):
    """Time in seconds, which a test sets."""
    now = SimpleNamespace(value=0.0)
    monkeypatch.setattr(test_progress.time, 'monotonic', lambda: now.value)
    return now


@pytest.mark.parametrize('mode', ['val', 'test'])
def test_lines_at_regular_times(mode, clock, caplog):
    loop = SimpleNamespace(dataloader=range(10))
    runner = SimpleNamespace(logger=logging.getLogger('progress'))
    setattr(runner, f'{mode}_loop', loop)
    hook = TestProgressHook(seconds=5)
    caplog.set_level(logging.INFO)
    for _ in range(2):  # a training validates more than once
        caplog.clear()
        getattr(hook, f'before_{mode}_epoch')(runner)
        for index in range(10):
            clock.value += 3
            getattr(hook, f'after_{mode}_iter')(runner, index, None, None)
        assert caplog.messages[:2] == [
            f'Iter({mode}) [2/10]  eta: 0:00:24  0:00:06 passed',
            f'Iter({mode}) [4/10]  eta: 0:00:18  0:00:12 passed',
        ]
        assert PROGRESS.search(caplog.messages[0]).groups() == (
            *(mode, None, '2', '10', '0:00:24'),
        )
        assert len(caplog.messages) == 5
        assert all(map(is_for_the_console, caplog.records))


def test_training_has_other_lines(clock, caplog):
    hook = TestProgressHook()
    caplog.set_level(logging.INFO)
    hook.before_train_epoch(None)
    clock.value = 99
    hook.after_train_iter(None, 0, None, None)
    assert not caplog.messages


def test_seconds_above_zero():
    with pytest.raises(ValueError, match='seconds must be above 0, got 0'):
        TestProgressHook(seconds=0)
