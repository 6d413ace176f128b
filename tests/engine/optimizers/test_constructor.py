import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmseg.utils import register_all_modules
from models.small_segmentor import build
from torch import nn

from mmseg_spml.engine import SPMLOptimWrapperConstructor

LR, DECAY = 0.1, 0.02


def construct(model, paramwise_cfg=None, **optimizer):
    register_all_modules(init_default_scope=True)
    settings = dict(type='LRMomentumSGD', lr=LR, weight_decay=DECAY, **optimizer)
    constructor = SPMLOptimWrapperConstructor(
        dict(type='OptimWrapper', optimizer=settings), paramwise_cfg
    )
    return constructor(model).optimizer


def settings(model, optimizer):
    """Factor of the rate and decay, by parameter name; each must occur once."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    out = {}
    for group in optimizer.param_groups:
        for parameter in group['params']:
            assert names[parameter] not in out
            out[names[parameter]] = (round(group['lr'] / LR, 9), group['weight_decay'])
    return out


def test_every_parameter_by_place_and_kind():
    model = build()
    found = settings(model, construct(model))
    assert set(found) == dict(model.named_parameters()).keys()
    for name, (factor, decay) in found.items():
        bias = name.endswith('.bias')
        place = 1 if name.startswith('backbone.') else 10
        assert factor == place * (2 if bias else 1), name
        assert decay == (0 if bias else DECAY), name
    # one of each, spelled out
    assert found['backbone.stem.0.weight'] == (1, DECAY)
    assert found['backbone.layer2.0.bn1.weight'] == (1, DECAY)
    assert found['backbone.layer2.0.bn1.bias'] == (2, 0)
    assert found['neck.projection.merge.bn.weight'] == (10, DECAY)
    assert found['neck.projection.merge.bn.bias'] == (20, 0)
    assert found['neck.projection.project.bias'] == (20, 0)
    assert found['decode_head.classifier.1.bias'] == (20, 0)
    assert found['decode_head.classifier.0.weight'] == (10, DECAY)


def test_factors_of_the_config():
    model = build()
    options = dict(head_lr_mult=3, bias_lr_mult=5)
    found = settings(model, construct(model, options))
    assert found['backbone.layer2.0.bn1.bias'] == (5, 0)
    assert found['neck.projection.project.weight'] == (3, DECAY)
    assert found['neck.projection.project.bias'] == (15, 0)


def test_fixed_parameters_are_in_no_group():
    model = build(frozen_modules=('backbone.stem', 'backbone.layer1'))
    found = settings(model, construct(model))
    held = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert held and not held & set(found)
    assert held | set(found) == dict(model.named_parameters()).keys()


def test_a_frozen_embedding_leaves_the_classifier():
    model = build(relations=(), freeze_embedding=True)
    found = settings(model, construct(model))
    assert {name.split('.')[0] for name in found} == {'decode_head'}


def test_a_wrapped_model_has_the_same_groups():
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    model = build()
    plain = construct(model)
    wrapped = construct(Wrapper(model))
    for first, second in zip(plain.param_groups, wrapped.param_groups):
        assert first['lr'] == second['lr']
        assert [id(p) for p in first['params']] == [id(p) for p in second['params']]


def test_through_the_config_of_a_run():
    register_all_modules(init_default_scope=True)
    model = build()
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='OptimWrapper',
            optimizer=dict(type='SGD', lr=LR, weight_decay=DECAY),
            constructor='SPMLOptimWrapperConstructor',
            paramwise_cfg=dict(head_lr_mult=4),
        ),
    )
    rates = {round(group['lr'] / LR, 9) for group in wrapper.optimizer.param_groups}
    assert rates == {1, 2, 4, 8}
    decays = {group['weight_decay'] for group in wrapper.optimizer.param_groups}
    assert decays == {0, DECAY}
    assert isinstance(wrapper.optimizer, torch.optim.SGD)


def test_an_optimizer_without_decay():
    model = build()
    constructor = SPMLOptimWrapperConstructor(
        dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=LR))
    )
    groups = constructor(model).optimizer.param_groups
    assert {group['weight_decay'] for group in groups} == {0}


def test_unknown_key():
    with pytest.raises(ValueError, match=r"'custom_keys'\]; known .*head_lr_mult"):
        construct(build(), dict(custom_keys={}))
