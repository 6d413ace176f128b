"""Mixed precision on the CPU, as tools/train.py --amp sets it up."""

import pytest
import torch
from integration import tiny
from mmengine.hooks import Hook

from mmseg_spml.engine import launch
from mmseg_spml.engine.optimizers.cpu_amp import CPUAmpOptimWrapper


class Watch(Hook):
    """Notes the data type of what enters and leaves the head, and the losses."""

    def __init__(self):
        self.features, self.losses, self.values = set(), set(), []

    def before_train(self, runner):
        model = runner.model

        def head_loss(inputs, *args, original=model.decode_head.loss):
            self.features.add(inputs[0].dtype)
            losses = original(inputs, *args)
            named = tiny.named_losses(losses)
            self.losses.update(loss.dtype for loss in named)
            self.values.append(torch.stack([loss.detach() for loss in named]))
            return losses

        model.decode_head.loss = head_loss


PROPAGATION = dict(type='LabelPropagationLoss', begin=0.0, ramp=0.0)


@pytest.mark.parametrize(
    'predictor, propagation',
    [('softmax', None), ('retrieval', None), ('softmax', PROPAGATION)],
)
def test_bfloat16_trains_and_validates(tmp_path, monkeypatch, predictor, propagation):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg = tiny.config(
        tiny.write_data(tmp_path / 'data'),
        tmp_path / 'run',
        train_cfg__max_iters=5,
        train_cfg__val_interval=5,
        model__decode_head__predictor=predictor,
        model__decode_head__propagation=propagation,
    )
    launch.enable_amp(cfg)
    runner = tiny.runner(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    assert isinstance(runner.optim_wrapper, CPUAmpOptimWrapper)
    assert watch.features == {torch.bfloat16}
    assert watch.losses == {torch.float32}
    assert len(watch.values) == 5
    assert torch.isfinite(torch.stack(watch.values)).all()
    assert (torch.stack(watch.values) > 0).any()
    assert tiny.finite_parameters(runner.model)
    assert all(p.dtype == torch.float32 for p in runner.model.parameters())
    for kept in tiny.memory_of(runner.model):
        assert kept.prototypes.dtype == torch.float32
