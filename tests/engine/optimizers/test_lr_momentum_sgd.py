import copy

import numpy as np
import pytest
import reference
import torch

from mmseg_spml.engine import LRMomentumSGD


def parameter(*values):
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))


@pytest.mark.parametrize('momentum, decay', [(0.9, 5e-4), (0.0, 0.1), (0.5, 0.0)])
def test_trajectory_under_a_changing_rate(momentum, decay):
    generator = np.random.default_rng(0)
    p = torch.nn.Parameter(torch.from_numpy(generator.standard_normal((3, 2))))
    value = p.detach().numpy().copy()
    slow = reference.MomentumSGD(momentum, decay)
    optimizer = LRMomentumSGD([p], lr=1.0, momentum=momentum, weight_decay=decay)
    for rate in (0.3, 0.1, 0.2, 0.0, 0.05):
        grad = generator.standard_normal((3, 2))
        optimizer.param_groups[0]['lr'] = rate
        p.grad = torch.from_numpy(grad.copy())
        optimizer.step()
        value = slow.step(value, grad, rate)
        assert np.abs(p.detach().numpy() - value).max() < 1e-12


def test_differs_from_sgd_only_where_the_rate_changes():
    ours, theirs = parameter(1.0, -2.0), parameter(1.0, -2.0)
    first = LRMomentumSGD([ours], lr=0.1, momentum=0.9, weight_decay=0.01)
    second = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=0.01)

    def both(rate):
        for p, optimizer in ((ours, first), (theirs, second)):
            optimizer.param_groups[0]['lr'] = rate
            p.grad = p.detach().clone()
            optimizer.step()

    for _ in range(4):
        both(0.1)
    assert torch.allclose(ours, theirs, atol=1e-12)
    both(0.01)
    assert (ours - theirs).abs().max() > 1e-3


def test_groups_have_rates_and_decays_of_their_own():
    a, b, c = parameter(1.0), parameter(1.0), parameter(1.0)
    groups = [
        dict(params=[a], lr=0.1),
        dict(params=[b], lr=0.2, weight_decay=0.0),
        dict(params=[c], momentum=0.0),
    ]
    optimizer = LRMomentumSGD(groups, lr=0.3, momentum=0.5, weight_decay=0.1)
    for _ in range(2):
        for p in (a, b, c):
            p.grad = torch.ones_like(p)
        optimizer.step()
    first = 1 - 0.1 * 1.1
    step = 0.5 * 0.1 * 1.1 + 0.1 * (1 + 0.1 * first)
    assert a.item() == pytest.approx(first - step)
    assert b.item() == pytest.approx(1 - 0.2 - (0.1 + 0.2))
    first = 1 - 0.3 * 1.1
    assert c.item() == pytest.approx(first - 0.3 * (1 + 0.1 * first))


def test_parameters_without_a_gradient_stay():
    a, b = parameter(1.0), parameter(2.0)
    optimizer = LRMomentumSGD([a, b], lr=0.1, weight_decay=0.5)
    a.grad = torch.ones_like(a)
    optimizer.step()
    assert b.item() == 2.0 and b not in optimizer.state
    assert a.item() == pytest.approx(1 - 0.1 * 1.5)
    a.grad = None
    optimizer.step()  # nothing at all to do
    assert a.item() == pytest.approx(0.85)


def test_gradients_are_not_changed():
    a = parameter(1.0, 2.0)
    optimizer = LRMomentumSGD([a], lr=0.1, weight_decay=0.5)
    a.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    for _ in range(2):
        optimizer.step()
        assert a.grad.tolist() == [3, 4]


def test_state_continues():
    def run(steps, p, optimizer):
        for number in steps:
            p.grad = torch.full_like(p, float(number + 1))
            optimizer.step()

    straight, resumed = parameter(1.0), parameter(1.0)
    first = LRMomentumSGD([straight], lr=0.1, weight_decay=0.1)
    run(range(4), straight, first)
    second = LRMomentumSGD([resumed], lr=0.1, weight_decay=0.1)
    run(range(2), resumed, second)
    saved, value = copy.deepcopy(second.state_dict()), resumed.detach().clone()
    resumed = torch.nn.Parameter(value)
    third = LRMomentumSGD([resumed], lr=9.0)
    third.load_state_dict(saved)
    run(range(2, 4), resumed, third)
    assert resumed.item() == straight.item()


def test_closure():
    a = parameter(3.0)
    optimizer = LRMomentumSGD([a], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (a**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 9
    assert a.item() == pytest.approx(3 - 0.6)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(lr=-0.1), 'lr=-0.1'),
        (dict(lr=0.1, momentum=1.0), 'momentum=1.0'),
        (dict(lr=0.1, momentum=-0.1), 'momentum=-0.1'),
        (dict(lr=0.1, weight_decay=-1), 'weight_decay=-1'),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        LRMomentumSGD([parameter(1.0)], **options)
