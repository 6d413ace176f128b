"""A resumed run equals the uninterrupted one, bit by bit."""

import pytest
import torch
from integration import tiny
from mmengine.hooks import Hook

from mmseg_spml.engine import ExactResumeHook, launch
from mmseg_spml.models import SegmentMemory

ITERATIONS, INTERRUPTED = 40, 20


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return tiny.write_data(tmp_path_factory.mktemp('data'))


def train(root, work_dir, stop=ITERATIONS, resume=None, hooks=(), **options):
    """State of model and optimizer after ``stop`` iterations."""
    options.setdefault('default_hooks__checkpoint__interval', INTERRUPTED)
    options['train_cfg__max_iters'] = stop
    cfg = tiny.config(root, work_dir, **options)
    launch.set_resume(cfg, resume)
    runner = tiny.runner(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return dict(
        model=runner.model.state_dict(),
        optimizer=runner.optim_wrapper.state_dict(),
        memory=[vars(kept) for kept in tiny.memory_of(runner.model)],
    )


def resumed(root, work_dir, **options):
    """The same, with an interruption at 20 iterations."""
    train(root, work_dir, INTERRUPTED, **options)
    return train(root, work_dir, resume='auto', **options)


@pytest.fixture(scope='module')
def uninterrupted(root, tmp_path_factory):
    return train(root, tmp_path_factory.mktemp('uninterrupted'))


def assert_equal(left, right, path=''):
    """Equal structures; tensors bit by bit."""
    assert type(left) is type(right), path
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype, path
        assert torch.equal(left, right), path
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key in left:
            assert_equal(left[key], right[key], f'{path}.{key}')
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right), path
        for number, (one, other) in enumerate(zip(left, right)):
            assert_equal(one, other, f'{path}[{number}]')
    else:
        assert left == right, path


def test_what_is_compared(uninterrupted):
    """Parameters, batch statistics, memory and momentum are all there."""
    names = uninterrupted['model']
    assert any(name.endswith('running_var') for name in names)
    memory = uninterrupted['memory']
    assert len(memory) == 2
    assert all(len(kept['label']) for kept in memory)
    assert uninterrupted['optimizer']['state']
    assert int(names['backbone.stem.1.num_batches_tracked']) == ITERATIONS


def test_resume_equals_uninterrupted(root, tmp_path, uninterrupted):
    assert_equal(uninterrupted, resumed(root, tmp_path))


def test_resume_with_workers(root, tmp_path, uninterrupted):
    """Two loader processes draw what none draws, resumed or not."""
    result = resumed(root, tmp_path, train_dataloader__num_workers=2)
    assert_equal(uninterrupted, result)


@pytest.mark.parametrize(
    'predictor', [pytest.param('softmax', marks=pytest.mark.slow), 'retrieval']
)
def test_validation_changes_nothing(root, tmp_path, uninterrupted, predictor):
    """Validations, also between checkpoint and end, leave the training alone."""
    result = resumed(
        root,
        tmp_path,
        train_cfg__val_interval=15,
        model__decode_head__predictor=predictor,
    )
    assert_equal(uninterrupted, result)


def test_resume_with_label_propagation(root, tmp_path):
    """The weights of the losses depend on the iteration, from 10 to 20 of 40."""

    class Interrupt(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter == INTERRUPTED:
                raise InterruptedError

    options = dict(
        model__decode_head__detach=False,
        model__decode_head__propagation=dict(
            type='LabelPropagationLoss', begin=0.25, ramp=0.5
        ),
    )
    whole = train(root, tmp_path / 'whole', **options)
    with pytest.raises(InterruptedError):
        train(root, tmp_path / 'parts', hooks=[Interrupt()], **options)
    resumed = train(root, tmp_path / 'parts', resume='auto', **options)
    assert_equal(resumed, whole)


@pytest.mark.parametrize('without', ['ExactResumeHook', 'SegmentMemory'])
def test_what_makes_it_exact(root, tmp_path, monkeypatch, without):
    """The comparison would notice if dropout or memory were not resumed."""
    with monkeypatch.context() as patch:
        if without == 'ExactResumeHook':
            patch.setattr(ExactResumeHook, 'before_train_iter', lambda *_, **__: None)
        else:
            patch.setattr(SegmentMemory, 'load_state', lambda *_: None)
        stop = dict(stop=6, default_hooks__checkpoint__interval=3)
        whole = train(root, tmp_path / 'whole', **stop)
        train(root, tmp_path / 'parts', **{**stop, 'stop': 3})
        parts = train(root, tmp_path / 'parts', resume='auto', **stop)
    # Dropout is in the classifier, which leaves the embedding alone.
    dropout = without == 'ExactResumeHook'
    name = 'decode_head.classifier.4.weight' if dropout else 'backbone.stem.0.weight'
    assert not torch.equal(whole['model'][name], parts['model'][name])


def test_another_seed_differs(root, tmp_path, uninterrupted):
    """The comparison would notice."""
    result = train(root, tmp_path, 2, randomness__seed=8)
    name = 'neck.projection.project.weight'
    assert not torch.equal(result['model'][name], uninterrupted['model'][name])


def test_averaged_weights(root, tmp_path):
    """The size of the memory changes, which no average could follow."""
    average = [dict(type='EMAHook', begin_iter=2, update_buffers=True, momentum=0.1)]
    options = dict(stop=6, default_hooks__checkpoint__interval=3)
    options['custom_hooks'] = [*tiny.config(root, tmp_path).custom_hooks, *average]
    whole = train(root, tmp_path / 'whole', **options)
    train(root, tmp_path / 'parts', **{**options, 'stop': 3})
    parts = train(root, tmp_path / 'parts', resume='auto', **options)
    assert_equal(parts, whole)


class MemoryAtStart(Hook):
    """Notes what the memory holds when the first step starts."""

    priority = 'VERY_LOW'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if not hasattr(self, 'kept'):
            self.kept = len(tiny.memory_of(runner.model))


@pytest.mark.parametrize(('resume', 'kept'), [(True, 2), (False, 0)])
def test_memory_survives_resume_but_not_load_from(root, tmp_path, resume, kept):
    train(root, tmp_path, INTERRUPTED)
    checkpoint = str(tmp_path / f'iter_{INTERRUPTED}.pth')
    watch = MemoryAtStart()
    train(
        root,
        tmp_path / 'next',
        stop=INTERRUPTED + 1 if resume else 1,
        resume=checkpoint if resume else None,
        hooks=[watch],
        load_from=checkpoint,
    )
    assert watch.kept == kept
