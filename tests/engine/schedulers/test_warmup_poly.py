import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import PARAM_SCHEDULERS
from mmseg.utils import register_all_modules

from mmseg_spml.engine import LRMomentumSGD, WarmupPolyLR
from mmseg_spml.functional.schedule import warmup_poly_lr

OPTIONS = dict(max_iters=40, power=0.9, warmup_iters=10, warmup_ratio=0.1)
BASES = (0.01, 0.2)


def wrapper():
    parameters = [torch.nn.Parameter(torch.ones(1)) for _ in BASES]
    groups = [dict(params=[p], lr=lr) for p, lr in zip(parameters, BASES)]
    return OptimWrapper(LRMomentumSGD(groups, lr=0.3))


def rates(optim_wrapper):
    return [group['lr'] for group in optim_wrapper.optimizer.param_groups]


def train(optim_wrapper, scheduler, steps):
    """Rates that the steps are taken with."""
    seen = []
    for _ in range(steps):
        seen.append(rates(optim_wrapper))
        parameters = [g['params'][0] for g in optim_wrapper.optimizer.param_groups]
        optim_wrapper.update_params(sum(p.sum() for p in parameters))
        scheduler.step()
    return seen


def expected(steps, **changes):
    options = {**OPTIONS, **changes}
    return [[warmup_poly_lr(t, base, **options) for base in BASES] for t in steps]


@pytest.mark.parametrize(
    'changes',
    [
        {},
        dict(warmup_iters=0),
        dict(power=2.0, warmup_ratio=0.5),
        dict(warmup_iters=100),
        dict(warmup_iters=39),
    ],
)
def test_rate_of_every_iteration(changes):
    optim_wrapper = wrapper()
    scheduler = WarmupPolyLR(optim_wrapper, **{**OPTIONS, **changes})
    seen = train(optim_wrapper, scheduler, 40)
    for value, target in zip(seen, expected(range(40), **changes)):
        assert value == pytest.approx(target, rel=1e-12)
    # after the last iteration the rate is 0 and stays there
    assert rates(optim_wrapper) == [0, 0]
    train(optim_wrapper, scheduler, 3)
    assert rates(optim_wrapper) == [0, 0]


def test_rates_by_hand():
    optim_wrapper = wrapper()
    scheduler = WarmupPolyLR(optim_wrapper, **OPTIONS)
    seen = [first for first, _ in train(optim_wrapper, scheduler, 40)]
    assert seen[0] == pytest.approx(0.001)
    assert seen[5] == pytest.approx(0.01 * (0.1 * 0.5 + 0.5))
    assert seen[20] == pytest.approx(0.01 * 0.5**0.9)
    # late in the warm-up the decay is the smaller one
    assert seen[9] == pytest.approx(0.01 * (31 / 40) ** 0.9)
    assert seen.index(max(seen)) == 8


@pytest.mark.parametrize('done', [1, 4, 10, 25])
def test_resume(done):
    optim_wrapper = wrapper()
    scheduler = WarmupPolyLR(optim_wrapper, **OPTIONS)
    train(optim_wrapper, scheduler, done)
    saved = copy.deepcopy((optim_wrapper.state_dict(), scheduler.state_dict()))

    fresh = wrapper()
    resumed = WarmupPolyLR(fresh, **OPTIONS)
    fresh.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    seen = train(fresh, resumed, 40 - done)
    for value, target in zip(seen, expected(range(done, 40))):
        assert value == pytest.approx(target, rel=1e-12)


def test_from_a_config_whose_end_counts_epochs():
    """The runner may fill in ``end`` with something else: it is not obeyed."""
    register_all_modules(init_default_scope=True)
    optim_wrapper = wrapper()
    scheduler = PARAM_SCHEDULERS.build(
        dict(type='WarmupPolyLR', by_epoch=False, end=3, **OPTIONS),
        default_args=dict(optimizer=optim_wrapper),
    )
    seen = train(optim_wrapper, scheduler, 40)
    for value, target in zip(seen, expected(range(40))):
        assert value == pytest.approx(target, rel=1e-12)


def test_epochs_are_refused():
    with pytest.raises(ValueError, match='by_epoch must be False'):
        WarmupPolyLR(wrapper(), max_iters=10, by_epoch=True)


def test_nothing_but_the_rate_changes():
    optim_wrapper = wrapper()
    before = [
        {k: v for k, v in group.items() if k not in ('lr', 'params')}
        for group in optim_wrapper.optimizer.param_groups
    ]
    scheduler = WarmupPolyLR(optim_wrapper, **OPTIONS)
    train(optim_wrapper, scheduler, 5)
    for group, old in zip(optim_wrapper.optimizer.param_groups, before):
        assert {k: group[k] for k in old} == old
        assert group['initial_lr'] in BASES


def test_a_longer_run_goes_on_at_the_rates_of_its_own_config():
    optim_wrapper = wrapper()
    scheduler = WarmupPolyLR(optim_wrapper, **OPTIONS)
    train(optim_wrapper, scheduler, 40)
    saved = copy.deepcopy((optim_wrapper.state_dict(), scheduler.state_dict()))
    fresh = wrapper()
    longer = dict(OPTIONS, max_iters=80)
    resumed = WarmupPolyLR(fresh, **longer)
    fresh.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    seen = train(fresh, resumed, 40)
    # The first rate is that of the checkpoint.
    for value, target in zip(seen[1:], expected(range(41, 80), max_iters=80)):
        assert value == pytest.approx(target, rel=1e-12)
    assert seen[1][0] > 0
