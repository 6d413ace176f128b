"""Tests of work in several processes: order, threads, errors, threads of the parent."""

import math
import os
from concurrent.futures.process import BrokenProcessPool

import pytest
import torch

from mmseg_spml.io.processes import spread


@pytest.mark.parametrize('processes', [1, 2])
def test_results_keep_the_order(processes):
    assert list(spread(math.sqrt, [9, 4, 1], processes)) == [3, 2, 1]
    assert list(spread(math.sqrt, [], processes)) == []


def test_other_processes_with_one_thread_each():
    # The product starts threads in this process, which a plain fork would not survive.
    torch.randn(500, 500) @ torch.randn(500, 500)
    asked = ['__import__("torch").get_num_threads()', '__import__("os").getpid()']
    threads, pid = spread(eval, asked, 2)
    assert threads == 1
    assert pid != os.getpid()


def test_errors_come_here():
    results = spread(math.sqrt, [4, -1], 2)
    assert next(results) == 2
    with pytest.raises(ValueError, match='math domain'):
        next(results)


def test_a_killed_process_is_an_error():
    with pytest.raises(BrokenProcessPool):
        list(spread(os._exit, [3], 2))


def test_too_few_processes():
    with pytest.raises(ValueError, match='processes must be 1 or more, got 0'):
        list(spread(abs, [1], 0))


def test_processes_are_no_forks_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    (parent,) = spread(eval, ['__import__("os").getppid()'], 2)
    assert parent == os.getpid()  # and not the server of forks
