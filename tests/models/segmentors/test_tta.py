"""Merged views against MMSegmentation's, and the dense CRF after them."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from models.small_segmentor import C, build, sample

from mmseg_spml.functional.refinement.dense_crf import dense_crf
from mmseg_spml.models import SPMLTTAModel

SIZE = (12, 16)


def views(count=3, path='a.png'):
    """Predictions of the views of one image."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(count):
        view = sample(torch.zeros(SIZE), img_path=path)
        logits = torch.randn(C, *SIZE, generator=generator)
        view.seg_logits = PixelData(data=logits)
        found.append(view)
    return found


def probabilities(count=3):
    logits = [view.seg_logits.data for view in views(count)]
    return torch.stack(logits).softmax(dim=1).mean(dim=0)


def merged(path='a.png', count=3, **options):
    model = SPMLTTAModel(build(), **options)
    (out,) = model.merge_preds([views(count, path)])
    return out


def test_without_crf_it_is_the_model_of_mmsegmentation():
    (expected,) = SegTTAModel(build()).merge_preds([views()])
    out = merged()
    assert torch.equal(
        out.pred_sem_seg.data.squeeze(), expected.pred_sem_seg.data.squeeze()
    )
    assert torch.equal(out.gt_sem_seg.data, expected.gt_sem_seg.data)
    assert torch.allclose(out.seg_logits.data.exp(), probabilities(), atol=1e-6)


def test_crf_of_the_image_files_of_a_batch(tmp_path):
    rng = np.random.default_rng(0)
    pictures = {
        str(tmp_path / name): rng.integers(0, 256, (*SIZE, 3), np.uint8)
        for name in ('a.png', 'b.png')
    }
    for path, picture in pictures.items():
        cv2.imwrite(path, picture)
    options = dict(bilateral_rgb=20.0, iterations=4)
    model = SPMLTTAModel(build(), crf=options)
    out = model.merge_preds([views(path=path) for path in pictures])
    expected = [
        dense_crf(picture[..., ::-1].copy(), probabilities(), **options).argmax(0)
        for picture in pictures.values()
    ]
    for of_image, labels in zip(out, expected):
        assert torch.equal(of_image.pred_sem_seg.data[0], labels)
    assert not torch.equal(expected[0], expected[1])


def test_crf_needs_a_file():
    found = views()
    for view in found:
        del view.img_path
    with pytest.raises(ValueError, match='image file'):
        SPMLTTAModel(build(), crf={}).merge_preds([found])


def test_two_classes_by_one_output(tmp_path):
    found = views(path=str(tmp_path / 'a.png'))
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((*SIZE, 3), np.uint8))
    squashed = [view.seg_logits.data[:1].sigmoid() for view in found]
    for view, scores in zip(found, squashed):
        view.seg_logits = PixelData(data=scores)
    model = SPMLTTAModel(build())
    model.module.decode_head.threshold = 0.4
    (out,) = model.merge_preds([found])
    mean = torch.stack(squashed).mean(dim=0)
    assert torch.equal(out.pred_sem_seg.data, (mean > 0.4).long())
    assert 0 < out.pred_sem_seg.data.float().mean() < 1
    assert torch.allclose(out.seg_logits.data.exp()[1:], mean, atol=1e-6)
