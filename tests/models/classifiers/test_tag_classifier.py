"""The classifier's loss by hand, its maps under mirroring and padding, its errors."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmengine.structures import LabelData
from mmseg.registry import METRICS, MODELS
from mmseg.structures import SegDataSample

from mmseg_spml.evaluation import CamWriter
from mmseg_spml.functional.seeds.cam_files import load_cam
from mmseg_spml.models.classifiers import TagClassifier

K = 3


def classifier(**options):
    torch.manual_seed(0)
    model = TagClassifier(
        backbone=dict(
            type='mmseg.EfficientNetLite', out_indices=(1, 2), pretrained=False
        ),
        head=dict(
            type='mmpretrain.MultiLabelLinearClsHead',
            num_classes=K,
            in_channels=40,
            loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
        ),
        data_preprocessor=dict(
            type='mmseg.SPMLDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3
        ),
        **options,
    )
    model.head.init_weights()
    return model.eval()


def tagged(tags, **metainfo):
    tags = torch.tensor(tags)
    sample = SegDataSample(metainfo=metainfo)
    sample.gt_tags = LabelData(label=tags.to(torch.int8))
    return sample


def test_loss_is_the_mean_over_images_of_the_sum_over_known_tags():
    model, images = classifier(), torch.rand(3, 3, 32, 48)
    tags = [[1, 1, 0, 0], [0, -1, 1, 0], [1, -1, -1, -1]]
    samples = [tagged(row) for row in tags]
    scores = model(images)
    total = 0
    for row, score in zip(tags, scores):
        for target, value in zip(row[1:], score):
            if target >= 0:
                sign = 1 if target else -1
                total = total - F.logsigmoid(sign * value)
    loss = model.loss(images, samples)['loss']
    assert loss.item() == pytest.approx(total.item() / 3, rel=1e-5)


def test_the_loss_is_of_tags_under_the_scope_of_mmsegmentation():
    init_default_scope('mmseg')
    model = TagClassifier(
        backbone=dict(
            type='mmseg.EfficientNetLite', out_indices=(3,), pretrained=False
        ),
        head=dict(
            type='mmpretrain.MultiLabelLinearClsHead', num_classes=3, in_channels=112
        ),
        data_preprocessor=dict(type='SPMLDataPreProcessor'),
    )
    loss = model.loss(torch.rand(2, 3, 32, 32), [tagged([0, 1, 0, -1])] * 2)['loss']
    assert 0 < loss.item() < 10


def test_a_score_is_the_mean_of_the_largest_activations():
    image = torch.rand(1, 3, 32, 48)
    model = classifier(top_share=0.25)
    activations = model.backbone(image)[-1].permute(0, 2, 3, 1) @ model.head.fc.weight.T
    largest = activations.flatten(0, 2).sort(dim=0).values[-6:]  # of 4 x 6 places
    expected = largest.mean(dim=0) + model.head.fc.bias
    assert torch.allclose(model(image)[0], expected, atol=1e-6)


def test_batches_of_unknown_tags_have_no_loss_and_no_gradient():
    model = classifier()
    loss = model.loss(torch.rand(2, 3, 32, 32), [tagged([0, -1, -1, -1])] * 2)['loss']
    loss.backward()
    assert loss.item() == 0
    assert not model.head.fc.weight.grad.any()


def test_scores_and_targets_feed_the_metric_of_mmpretrain():
    model = classifier()
    samples = [tagged([1, 1, 0, 0]), tagged([0, 0, -1, 1])]
    predicted = model.predict(torch.rand(2, 3, 32, 32), samples)
    metric = METRICS.build(dict(type='mmpretrain.AveragePrecision'))
    metric.process(None, [sample.to_dict() for sample in predicted])
    assert 0 < metric.evaluate(2)['multi-label/mAP'] <= 100
    assert predicted[1].gt_score.tolist() == [0, -1, 1]
    assert 'cams' not in predicted[0]
    assert 'gt_score' not in model.predict(torch.rand(1, 3, 32, 32))[0]


def test_maps_are_the_classifier_on_each_place():
    model, images = classifier(flip=False), torch.rand(2, 3, 32, 48)
    maps = model.activation_maps(images)
    features = model.backbone(images)[-1]
    weight = model.head.fc.weight
    expected = (features.permute(0, 2, 3, 1) @ weight.T).relu().permute(0, 3, 1, 2)
    expected = F.interpolate(expected, size=(32, 48), mode='bilinear')
    assert torch.allclose(maps, expected, atol=1e-6)


def test_mirrored_images_have_mirrored_maps():
    model, image = classifier(scales=(1.0, 1.5)), torch.rand(1, 3, 32, 48)
    maps = model.activation_maps(image)
    mirrored = model.activation_maps(image.flip(-1)).flip(-1)
    assert torch.allclose(maps, mirrored, atol=1e-6)


def test_scales_are_averaged():
    image = torch.rand(1, 3, 32, 48)
    single = [classifier(scales=(s,)).activation_maps(image) for s in (0.5, 2.0)]
    both = classifier(scales=(0.5, 2.0)).activation_maps(image)
    assert torch.allclose(both, sum(single) / 2, atol=1e-6)


def test_maps_leave_out_the_padding_and_have_the_size_of_the_file():
    model = classifier(predicts_maps=True)
    image = torch.rand(1, 3, 32, 48)
    padded = F.pad(image, (0, 16, 0, 32), value=7.0)
    meta = dict(img_shape=(32, 48), ori_shape=(50, 71))
    (alone,) = model.predict(image, [tagged([1, 1, 0, 0], **meta)])
    (within,) = model.predict(padded, [tagged([1, 1, 0, 0], **meta)])
    assert alone.cams.data.shape == (K, 50, 71)
    assert torch.equal(alone.cams.data, within.cams.data)
    assert alone.cams.data.min() == 0
    assert alone.cams.data.max() == 1


def test_scores_do_not_depend_on_the_padding():
    model, image = classifier(top_share=0.3), torch.rand(1, 3, 32, 48)
    padded = F.pad(image, (0, 16, 0, 32), value=7.0)
    scores = [
        model.predict(inputs, [tagged([1, 1, 0, 0], img_shape=(32, 48))])[0].pred_score
        for inputs in (image, padded)
    ]
    assert torch.equal(*scores)


def test_writer_keeps_the_maps_of_known_present_classes(tmp_path):
    writer = METRICS.build(dict(type='CamWriter', out_dir=str(tmp_path / 'cams')))
    model = classifier(predicts_maps=True)
    meta = dict(img_shape=(32, 32), ori_shape=(32, 32), img_path='images/x.y.jpg')
    with torch.no_grad():
        samples = model.predict(
            torch.rand(1, 3, 32, 32), [tagged([1, 1, -1, 0], **meta)]
        )
    writer.process(None, [samples[0].to_dict()])
    assert writer.evaluate(1) == {'cam/files': 1, 'cam/maps': 1}
    cams = load_cam(tmp_path / 'cams' / 'x.y.npz')
    assert list(cams) == [1]
    assert (cams[1] == samples[0].cams.data[0].numpy()).all()
    assert [f.name for f in (tmp_path / 'cams').iterdir()] == ['x.y.npz']
    with pytest.raises(ValueError, match='has no tags'):
        writer.process(None, [dict(img_path='a.jpg')])
    with pytest.raises(ValueError, match='npz'):
        CamWriter(str(tmp_path), file_format='h5')


def test_a_neck_may_merge_levels():
    model = classifier(
        neck=dict(
            type='mmseg.LateralEmbedding',
            in_channels=(24, 40),
            embedding_dim=40,
            channels=8,
        )
    )
    assert model.activation_maps(torch.rand(1, 3, 32, 32)).shape == (1, K, 32, 32)


def test_mistakes_are_named():
    model, image = classifier(), torch.rand(1, 3, 32, 32)
    with pytest.raises(ValueError, match='model.head.num_classes'):
        model.loss(image, [tagged([1, 0])])
    with pytest.raises(ValueError, match='has no tags'):
        model.loss(image, [SegDataSample(metainfo=dict(img_path='a.jpg'))])
    for share in (0, 1.5):
        with pytest.raises(ValueError, match='top_share'):
            classifier(top_share=share)
    for scales in ((), (1, 0), (-1,)):
        with pytest.raises(ValueError, match='scales'):
            classifier(scales=scales)


def test_registered_for_configs():
    assert MODELS.get('TagClassifier') is TagClassifier


IMPORT = """
import importlib.util, sys
missing = importlib.util.find_spec('torchvision') is None
import mmseg_spml.models.classifiers
from mmpretrain.registry import MODELS
assert 'ResNet' in MODELS
if missing:
    assert importlib.util.find_spec('torchvision') is None
    assert not [name for name in sys.modules if name.startswith('torchvision')]
print('imported')
"""


def test_import_leaves_no_trace_of_a_missing_torchvision():
    done = subprocess.run(
        [sys.executable, '-c', IMPORT], capture_output=True, text=True, timeout=120
    )
    assert 'imported' in done.stdout, done.stderr
