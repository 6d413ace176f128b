"""Tests of the profile of training iterations."""

import pytest
import torch
from mmengine.config import Config
from torch import nn
from torch.utils.checkpoint import checkpoint

from benchmarks import iteration_profile
from benchmarks.iteration_profile import (
    OPTIMIZER,
    REST,
    IterationProfile,
    IterationProfileHook,
    profile_iterations,
)


class Squares(nn.Module):
    """Module of many operations, with as many for their gradient."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, values):
        for _ in range(self.steps):
            values = values * values.cos()
        return values


class Model(nn.Module):
    def __init__(self, long):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(100, 100))
        self.long = long
        self.short = Squares(1)

    def forward(self):
        return self.long(self.weight).sum() + self.short(self.weight.exp()).sum()


class Recomputed(Squares):
    """Module that is recomputed in the backward pass."""

    def forward(self, values):
        return checkpoint(super().forward, values, use_reentrant=self.reentrant)


def trained(hook, long):
    class Runner:
        model = Model(long)

    optimizer = torch.optim.SGD(Runner.model.parameters(), lr=1e-6)
    for batch in range(hook.iterations_needed):
        hook.before_train_iter(Runner, batch)
        Runner.model().backward()
        optimizer.step()
        optimizer.zero_grad()
        hook.after_train_iter(Runner, batch)
    return Runner.model


def test_times_belong_to_parts():
    calls = []
    hook = IterationProfileHook(1, 4, lambda: calls.append(1))
    model = trained(hook, Squares(60))
    found = hook.result
    assert len(calls) == 9
    assert found.iterations == 4
    for times in (found.forward_ms, found.backward_ms):
        assert times['long'] > times['short'] > 0
    assert found.forward_ms[OPTIMIZER] > 0
    assert found.backward_ms[REST] > 0  # the gradients of exp and of the weight
    known = sum(found.forward_ms.values()) + sum(found.backward_ms.values())
    assert known == pytest.approx(found.total_ms)
    assert min(found.forward_ms.values()) >= 0
    # The model is restored.
    assert 'forward' not in vars(model.long)
    assert found.plain_ms > 0


@pytest.mark.parametrize('reentrant', [False, True])
def test_what_is_computed_again_counts_once(reentrant):
    hook = IterationProfileHook(1, 4)
    long = Recomputed(60)
    long.reentrant = reentrant
    trained(hook, long)
    found = hook.result
    times = [*found.forward_ms.values(), *found.backward_ms.values()]
    assert min(times) >= 0
    assert sum(times) == pytest.approx(found.total_ms)


def test_table():
    found = IterationProfile(
        2, 9.0, 10.0, {'backbone': 2.0, REST: 0.5}, {'backbone': 5.0, 'neck': 2.5}
    )
    assert found.markdown().splitlines() == [
        '| | forward ms | backward ms | share |',
        '|---|---|---|---|',
        '| backbone | 2.0 | 5.0 | 70.0% |',
        '| the rest | 0.5 |  | 5.0% |',
        '| neck |  | 2.5 | 25.0% |',
    ]


def test_numbers_of_iterations_are_checked():
    with pytest.raises(ValueError, match='0 and 3'):
        IterationProfileHook(0, 3)
    with pytest.raises(ValueError, match='1 and 0'):
        IterationProfileHook(1, 0)


def test_refuses_other_devices(monkeypatch):
    monkeypatch.setattr(iteration_profile, 'get_device', lambda: 'cuda')
    with pytest.raises(ValueError, match='CUDA_VISIBLE_DEVICES'):
        profile_iterations(Config())
