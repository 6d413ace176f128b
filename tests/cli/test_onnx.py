"""Tests of `mmseg-spml onnx`."""

import pytest
import torch
from cli.commands import run_command
from integration import tiny
from mmengine.config import Config
from mmseg.registry import MODELS

CONFIG = 'experiments/configs/spml/efficientnet_lite0_ccp_points.py'


def test_export(monkeypatch, capsys, tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    monkeypatch.chdir(tiny.ROOT)
    tiny.registered()
    model = Config.fromfile(CONFIG).model
    model.backbone.pretrained = False
    checkpoint = tmp_path / 'model.pth'
    torch.save(dict(state_dict=MODELS.build(model).state_dict(), meta={}), checkpoint)
    file = tmp_path / 'model.onnx'
    run_command('onnx', CONFIG, checkpoint, file, '--size', 64, 48)
    output = capsys.readouterr().out
    assert 'Translate the graph' in output  # the steps are shown
    assert 'largest difference from PyTorch' in output
    assert file.stat().st_size > 100_000
