"""Tests of `mmseg-spml onnx`."""

import cv2
import numpy as np
import pytest
import torch
from cli.commands import run_command
from documents import code_blocks
from integration import tiny
from mmengine.config import Config
from mmseg.registry import MODELS

CONFIG = 'experiments/configs/spml/efficientnet_lite0_ccp_points.py'


def test_the_example_of_the_readme(monkeypatch, tmp_path, capsys):
    """With a stand-in for the session, which is fed as the exported file wants it."""
    onnxruntime = pytest.importorskip('onnxruntime')
    image = np.random.default_rng(0).integers(0, 256, (100, 150, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'image.jpg'), image)
    fed = []

    class Session:
        def __init__(self, path):
            assert path == 'model.onnx'

        def run(self, names, inputs):
            fed.append(inputs['image'])
            return [np.zeros((3, *inputs['image'].shape[:2]), np.float32)]

    monkeypatch.setattr(onnxruntime, 'InferenceSession', Session)
    monkeypatch.chdir(tmp_path)
    (block,) = [
        content
        for kind, content in code_blocks(tiny.ROOT / 'docs/training.md')
        if kind == 'python' and 'onnxruntime' in content
    ]
    exec(block, {})
    assert capsys.readouterr().out == '(384, 512)\n'
    assert fed[0].shape == (384, 512, 3) and fed[0].dtype == np.uint8


def test_export(monkeypatch, capsys, tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    pytest.importorskip('torch', minversion='2.6', reason='ONNX files need PyTorch 2.6')
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
