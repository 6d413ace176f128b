import numpy as np
import pytest
import reference
import torch

from mmseg_spml.functional.schedule import warmup_poly_lr


@pytest.mark.parametrize('total', [1, 2, 50, 300, 4000, 30000])
@pytest.mark.parametrize('warmup', [0, 1, 20, 100])
@pytest.mark.parametrize('power, ratio', [(0.9, 0.1), (1.0, 0.0), (2.0, 1.0)])
def test_against_the_formula(total, warmup, power, ratio):
    more = dict(power=power, warmup_iters=warmup, warmup_ratio=ratio)
    for t in sorted({*range(min(total, 130)), total // 2, total - 1, total}):
        out = warmup_poly_lr(t, 3e-3, total, **more)
        expected = reference.warmup_poly_lr(t, 3e-3, total, **more)
        assert isinstance(out, float)
        assert out == pytest.approx(expected, abs=1e-15, rel=1e-12)


def test_ends():
    assert warmup_poly_lr(0, 3e-3, 30000) == pytest.approx(3e-4, rel=1e-12)
    assert warmup_poly_lr(100, 3e-3, 30000) == 3e-3 * (1 - 100 / 30000) ** 0.9
    assert warmup_poly_lr(30000, 3e-3, 30000) == 0
    assert warmup_poly_lr(0, 3e-3, 300, warmup_iters=0) == 3e-3


def test_beyond_the_last_iteration_is_a_real_number():
    out = warmup_poly_lr(310, 3e-3, 300)
    assert isinstance(out, float) and out == 0


@pytest.mark.parametrize('iteration, total', [(-1, 10), (0, 0), (3, -5)])
def test_impossible_arguments_are_refused(iteration, total):
    with pytest.raises(ValueError, match='-1|0|-5'):
        warmup_poly_lr(iteration, 3e-3, total)


# -------------------------------------------------------------------- optimizer


def sgd(*arguments, **more):
    from mmseg_spml.engine.optimizers.lr_momentum_sgd import LRMomentumSGD

    return LRMomentumSGD(*arguments, **more)


def rates(count):
    return [
        reference.warmup_poly_lr(t, 0.1, count, warmup_iters=5) for t in range(count)
    ]


def test_trajectory_with_changing_rate_and_groups():
    g = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(3, 4, generator=g, dtype=torch.float64))
    bias = torch.nn.Parameter(torch.randn(4, generator=g, dtype=torch.float64))
    optimizer = sgd(
        [dict(params=[weight]), dict(params=[bias], weight_decay=0.0)],
        lr=0.1,
        momentum=0.9,
        weight_decay=5e-4,
    )
    expected = [weight.detach().numpy().copy(), bias.detach().numpy().copy()]
    slow = [reference.MomentumSGD(0.9, 5e-4), reference.MomentumSGD(0.9, 0.0)]
    for rate in rates(20):
        for k, parameter in enumerate((weight, bias)):
            optimizer.param_groups[k]['lr'] = rate * (10, 20)[k]
            parameter.grad = torch.randn(
                parameter.shape, generator=g, dtype=torch.float64
            )
            grad = parameter.grad.numpy().copy()
            expected[k] = slow[k].step(expected[k], grad, rate * (10, 20)[k])
            assert np.array_equal(parameter.grad, grad)
        optimizer.step()
        assert np.abs(weight.detach().numpy() - expected[0]).max() <= 1e-12
        assert np.abs(bias.detach().numpy() - expected[1]).max() <= 1e-12


def test_is_pytorch_sgd_only_while_the_rate_is_constant():
    start = torch.randn(5, dtype=torch.float64)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    left = sgd([ours], lr=0.1, momentum=0.9, weight_decay=1e-2)
    right = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=1e-2)
    for step in range(12):
        if step == 8:
            assert torch.allclose(ours, theirs, atol=1e-12)
        for optimizer, parameter in ((left, ours), (right, theirs)):
            optimizer.param_groups[0]['lr'] = 0.1 if step < 8 else 0.01
            optimizer.zero_grad()
            (parameter**2).sum().backward()
            optimizer.step()
    assert not torch.allclose(ours, theirs, atol=1e-4)


def test_parameters_without_gradient_stay():
    used, unused = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = sgd([used, unused], lr=0.1, weight_decay=0.5)
    used.sum().backward()
    optimizer.step()
    assert torch.equal(unused, torch.ones(2))
    assert torch.allclose(used, torch.full((2,), 1 - 0.1 * 1.5))


def test_defaults_have_no_weight_decay():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = sgd([parameter], lr=0.1)
    for expected in (-0.1, -0.19):
        before = parameter.item()
        parameter.grad = torch.ones(1)
        optimizer.step()
        assert parameter.item() - before == pytest.approx(expected, abs=1e-6)


def test_resuming_from_the_state_dict():
    def run(steps, restart):
        torch.manual_seed(0)
        parameter = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
        optimizer = sgd([parameter], lr=0.1, weight_decay=1e-3)
        for step in range(steps):
            if step == restart:
                state = optimizer.state_dict()
                optimizer = sgd([parameter], lr=0.7)
                optimizer.load_state_dict(state)
            optimizer.param_groups[0]['lr'] = 0.1 / (step + 1)
            parameter.grad = torch.randn(3, dtype=torch.float64)
            optimizer.step()
        return parameter.detach()

    assert torch.equal(run(6, None), run(6, 3))


def test_closure():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = sgd([parameter], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1
    assert optimizer.step() is None
