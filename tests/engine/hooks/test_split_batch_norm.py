"""The hook that sorts batches for split batch normalization."""

from types import SimpleNamespace

import pytest
import torch
from models.small_segmentor import C, batch, build
from torch import nn

from mmseg_spml.engine import SplitBatchNormHook


def with_hook(model):
    hook = SplitBatchNormHook()
    runner = SimpleNamespace(model=model)
    hook.before_train(runner)
    return hook, runner


def mixed_batch(kinds):
    """Images and samples, of which those of kind 0 have no labeled pixel."""
    inputs, samples = batch(len(kinds))
    for sample, kind in zip(samples, kinds):
        if not kind:
            labels = sample.gt_sem_seg.data
            labels[labels < C] = C
    return inputs, samples


@pytest.mark.parametrize('as_list', [True, False])
def test_labeled_images_come_first(as_list):
    hook, runner = with_hook(build())
    inputs, samples = mixed_batch([0, 1, 0, 1, 1])
    data = dict(inputs=list(inputs) if as_list else inputs, data_samples=[*samples])
    hook.before_train_iter(runner, 0, data)
    order = [1, 3, 4, 0, 2]
    assert all(a is samples[i] for a, i in zip(data['data_samples'], order))
    assert all(torch.equal(a, inputs[i]) for a, i in zip(data['inputs'], order))
    assert isinstance(data['inputs'], list) == as_list
    assert {(layer.num_images, layer.num_labeled) for layer in hook.layers} == {(5, 3)}


def test_each_batch_has_its_own_numbers():
    hook, runner = with_hook(build())
    for kinds in ([1, 1], [0, 0, 0], [1, 0]):
        inputs, samples = mixed_batch(kinds)
        hook.before_train_iter(runner, 0, dict(inputs=inputs, data_samples=samples))
        expected = len(kinds), sum(kinds)
        assert (hook.layers[0].num_images, hook.layers[0].num_labeled) == expected


def test_labeled_images_do_not_move_the_statistics_of_the_others():
    """The output for tagged images is that of a batch of them alone."""
    torch.manual_seed(0)
    model = build()
    hook, runner = with_hook(model)
    inputs, samples = mixed_batch([1, 0, 0])
    data = dict(inputs=inputs, data_samples=samples)
    hook.before_train_iter(runner, 0, data)
    model.train()
    found = model.embedding(data['inputs'])
    alone = build()
    alone.load_state_dict(model.state_dict())
    expected = alone.train().embedding(inputs[1:])
    torch.testing.assert_close(found[1:], expected, rtol=0, atol=1e-6)


def test_a_model_without_batch_normalization():
    with pytest.raises(ValueError, match='no BatchNorm2d'):
        with_hook(nn.Conv2d(1, 1, 1))
