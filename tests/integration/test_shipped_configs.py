"""Models of MMSegmentation's own configs, with the SPML branch of docs/training.md."""

from pathlib import Path

import mmseg
import pytest
import torch
from integration import tiny
from mmengine.config import Config
from mmseg.registry import MODELS
from models.small_segmentor import C, batch

from mmseg_spml.engine import launch

CONFIGS = Path(mmseg.__file__).parent / '.mim' / 'configs'
pytestmark = pytest.mark.skipif(
    not CONFIGS.is_dir(), reason='mmseg ships without its configs'
)


def with_branch(path, channels):
    """The model of a config, changed as a user would."""
    cfg = Config.fromfile(CONFIGS / path)
    launch.without_cuda(cfg)
    model = cfg.model
    model.type = f'Weak{model.type}'
    old = model.data_preprocessor
    model.data_preprocessor = dict(
        type='SPMLDataPreProcessor', mean=old.mean, std=old.std, bgr_to_rgb=True
    )
    for name in ('decode_head', 'auxiliary_head'):
        heads = model.get(name) or []
        for head in heads if isinstance(heads, list) else [heads]:
            head.num_classes = C
            head.loss_decode.avg_non_ignore = True
    model.backbone.init_cfg = model.pretrained = None
    model.spml = dict(
        neck=dict(
            type='SegmentPoolingNeck',
            projection=dict(
                type='LateralEmbedding',
                in_channels=channels,
                channels=32,
                embedding_dim=64,
                norm_cfg=dict(type='BN'),
            ),
            in_index=tuple(range(len(channels))),
            num_classes=C,
        ),
        decode_head=dict(
            type='SPMLHead',
            embedding_dim=64,
            relations=[dict(type='SemanticAnnotationLoss', concentration=6)],
            num_classes=C,
            norm_cfg=dict(type='BN'),
        ),
    )
    return model


@pytest.mark.filterwarnings('ignore:No CUDA device')
@pytest.mark.parametrize(
    'path, channels',
    [
        ('segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py', (32, 64, 160, 256)),
        ('upernet/upernet_r50_4xb4-40k_voc12aug-512x512.py', (256, 512, 1024, 2048)),
        ('ocrnet/ocrnet_hr18s_4xb4-80k_ade20k-512x512.py', (18, 36, 72, 144)),
    ],
)
def test_both_heads_learn(path, channels):
    tiny.registered()
    torch.manual_seed(0)
    model = MODELS.build(with_branch(path, channels))
    inputs, samples = batch()
    losses = model.train().loss(inputs, samples)
    first = next(model.backbone.parameters())
    for part in ('decode', 'spml'):
        total = sum(v for k, v in losses.items() if k.startswith(part) and 'loss' in k)
        (gradient,) = torch.autograd.grad(total, [first], retain_graph=True)
        assert gradient.isfinite().all() and gradient.abs().sum() > 0
