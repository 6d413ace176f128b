"""The classifier in ONNX Runtime gives the probabilities of MMSegmentation."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from models.small_segmentor import C, config

from mmseg_spml.models.onnx_export import export_onnx

ort = pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')
pytest.importorskip('torch', minversion='2.6', reason='ONNX files need PyTorch 2.6')
MEAN, STD = [120.0, 110.0, 100.0], [50.0, 60.0, 70.0]


def built(**changes):
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    preprocessor = dict(
        type='SPMLDataPreProcessor',
        mean=MEAN,
        std=STD,
        bgr_to_rgb=True,
        test_cfg=dict(size_divisor=32),
    )
    model = MODELS.build(ConfigDict(config(data_preprocessor=preprocessor, **changes)))
    with torch.no_grad():  # so that classes differ
        model.decode_head.classifier[-1].weight.mul_(30)
    return model.eval()


@pytest.mark.parametrize('where', ['input', 'embedding'])
@pytest.mark.parametrize('size', [(32, 40), (33, 47)])
def test_probabilities(tmp_path, where, size):
    model = built(head__classify_at=where)
    assert export_onnx(model, tmp_path / 'model.onnx', size) < 1e-4
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size))
    with torch.no_grad():
        (expected,) = model.test_step(dict(inputs=[tensor], data_samples=[sample]))
    session = ort.InferenceSession(str(tmp_path / 'model.onnx'))
    (found,) = session.run(None, {'image': image})
    assert found.shape == (C, *size)
    probabilities = expected.seg_logits.data.softmax(0)
    assert probabilities.std() > 0.05
    np.testing.assert_allclose(found, probabilities.numpy(), atol=1e-3)


def test_retrieval_cannot_be_exported(tmp_path):
    model = built(head__predictor='retrieval')
    with pytest.raises(ValueError, match='softmax'):
        export_onnx(model, tmp_path / 'model.onnx', (32, 40))
