"""The hook that sorts batches for split batch normalization."""

from types import SimpleNamespace

import pytest
import torch
from models.small_segmentor import C, batch, build
from torch import nn

from mmseg_spml.engine import SplitBatchNormHook


def with_hook(model, labeled_share=0.5):
    hook = SplitBatchNormHook()
    sampler = SimpleNamespace(labeled_share=labeled_share)
    loader = SimpleNamespace(sampler=sampler)
    runner = SimpleNamespace(model=model, train_dataloader=loader)
    hook.before_train(runner)
    return hook, runner


def mixed_batch(kinds):
    """Images and samples, of which those of kind 0 have tags alone.

    The crops of labeled images have no label: the image counts.
    """
    inputs, samples = batch(len(kinds))
    for sample, kind in zip(samples, kinds):
        labels = sample.gt_sem_seg.data
        labels[labels < C] = C
        key, value = kind or ('is_labeled', False)
        sample.set_metainfo({'seg_map_path': None, key: value})
    return inputs, samples


DRAWN, MAPPED = ('is_labeled', True), ('seg_map_path', 'labels.png')


@pytest.mark.parametrize('as_list', [True, False])
def test_labeled_images_come_first(as_list):
    hook, runner = with_hook(build())
    inputs, samples = mixed_batch([0, DRAWN, 0, MAPPED, DRAWN])
    data = dict(inputs=list(inputs) if as_list else inputs, data_samples=[*samples])
    hook.before_train_iter(runner, 0, data)
    order = [1, 3, 4, 0, 2]
    assert all(a is samples[i] for a, i in zip(data['data_samples'], order))
    assert all(torch.equal(a, inputs[i]) for a, i in zip(data['inputs'], order))
    assert isinstance(data['inputs'], list) == as_list
    assert {(layer.num_images, layer.num_labeled) for layer in hook.layers} == {(5, 3)}


def test_each_batch_has_its_own_numbers():
    hook, runner = with_hook(build())
    for kinds in ([DRAWN, MAPPED], [0, 0, 0], [DRAWN, 0]):
        inputs, samples = mixed_batch(kinds)
        hook.before_train_iter(runner, 0, dict(inputs=inputs, data_samples=samples))
        expected = len(kinds), len(kinds) - kinds.count(0)
        assert (hook.layers[0].num_images, hook.layers[0].num_labeled) == expected
        hook.after_train_iter(runner, 0)
        assert hook.layers[0].num_images == 0


def test_labeled_images_do_not_move_the_statistics_of_the_others():
    """The output for tagged images is that of a batch of them alone."""
    torch.manual_seed(0)
    model = build()
    hook, runner = with_hook(model)
    inputs, samples = mixed_batch([DRAWN, 0, 0])
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


def test_a_sampler_of_one_kind():
    with pytest.raises(ValueError, match='set labeled_share of a DrawSampler'):
        with_hook(build(), labeled_share=None)
