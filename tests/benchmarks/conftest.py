"""Fixtures of the tests of benchmarks."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """One thread: on a busy machine, more threads would mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
