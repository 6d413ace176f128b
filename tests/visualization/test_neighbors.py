"""Tests of the page of nearest training segments."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from cli.commands import run_command
from integration import tiny
from mmengine.structures import LabelData, PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from models import small_segmentor

from mmseg_spml.functional.segments.pooling import SegmentPooler
from mmseg_spml.models import SPMLDataPreProcessor
from mmseg_spml.visualization.neighbors import (
    Neighbor,
    Query,
    index_segments,
    load_query,
    nearest,
    neighbors_page,
    segment_at,
)

CLASSES = ('sky', 'sea')
PALETTE = ((0, 0, 250), (0, 250, 0))


class ColorModel:
    """Model that embeds 2 x 2 blocks by their mean color, one cluster for each half."""

    num_classes = 2

    def __init__(self):
        self.data_preprocessor = SPMLDataPreProcessor(test_cfg=dict(size_divisor=8))
        self.spml_head = SimpleNamespace(pooler=SegmentPooler(2, grid=(1, 2)))

    def embed(self, inputs):
        blocks = torch.nn.functional.avg_pool2d(inputs.float(), 2)
        return torch.nn.functional.normalize(blocks + 1, dim=1)


def image(left, right, height=10, width=13):
    """Make an image of two halves of one BGR color; its size is no multiple of 8."""
    out = torch.zeros(3, height, width)
    out[:, :, : width // 2] = torch.tensor(left).float()[:, None, None]
    out[:, :, width // 2 :] = torch.tensor(right).float()[:, None, None]
    return out


def item(left, right, label, name):
    """Make a sample whose left half is labeled and whose right half is not."""
    picture = image(left, right)
    labels = torch.full((1, *picture.shape[1:]), 2)
    labels[..., :6] = label
    sample = SegDataSample(
        gt_sem_seg=PixelData(data=labels),
        gt_tags=LabelData(label=torch.zeros(2, dtype=torch.int8)),
        metainfo=dict(img_path=f'folder/{name}'),
    )
    return dict(inputs=picture, data_samples=sample)


RED, GREEN, BLUE = (0, 0, 200), (0, 200, 0), (200, 0, 0)
DATA = [
    item(RED, BLUE, 0, 'a.png'),
    item(GREEN, RED, 1, 'b.png'),
    item(BLUE, RED, 1, 'c.png'),
]


def test_nearest_segments_and_where_they_are():
    model = ColorModel()
    index = index_segments(model, DATA)
    assert index.images.tolist() == [0, 1, 2]  # unlabeled halves are not listed
    assert index.labels.tolist() == [0, 1, 1]
    query, prototype = segment_at(model, Query('query.png', image(BLUE, GREEN), 12, 9))
    assert not query.mask[:, :6].any() and query.mask[:, 6:].all()
    found = nearest(model, DATA, index, prototype, k=2)
    assert [one.name for one in found][0] == 'b.png'
    assert found[0].label == 1
    assert found[0].similarity == pytest.approx(1, abs=1e-4)
    assert found[1].similarity < 0.5
    assert found[0].mask[:, :6].all() and not found[0].mask[:, 6:].any()
    assert (found[0].image[0, 0] == (0, 200, 0)).all()
    assert len(nearest(model, DATA, index, prototype, k=9)) == 3


def test_a_pixel_of_the_file_in_the_image_that_the_model_sees(tmp_path):
    path = tmp_path / 'q.png'
    pixels = np.zeros((30, 40, 3), np.uint8)
    pixels[20:, 36:] = RED
    cv2.imwrite(str(path), pixels)
    loading = [dict(type='LoadImageFromFile')]
    limited = [*loading, dict(type='LimitSize', max_side=20)]
    for pipeline, expected in ((loading, (39, 29)), (limited, (19, 14))):
        query = load_query(pipeline, path, 39, 29)
        assert (query.name, query.x, query.y) == ('q.png', *expected)
        assert query.image[:, query.y, query.x].tolist() == list(RED)
    with pytest.raises(ValueError, match=r'\(40, 0\) is outside of q.png.*40 pixels'):
        load_query(limited, path, 40, 0)
    for content in (b'none', b''):
        path.write_bytes(content)
        with pytest.raises(ValueError, match='q.png: no image'):
            load_query(limited, path, 0, 0)
    with pytest.raises(FileNotFoundError, match='no.png'):
        load_query(limited, tmp_path / 'no.png', 0, 0)


def test_nothing_labeled():
    with pytest.raises(ValueError, match='labeled pixel'):
        index_segments(ColorModel(), [item(RED, BLUE, 2, 'a.png')])


def test_page_counts_votes_and_escapes():
    mask = np.zeros((8, 9), bool)
    mask[2:5, 2:5] = True
    picture = np.full((8, 9, 3), 200, np.uint8)
    query = Neighbor('<q>.png', picture, mask, -1, 1.0)
    found = [Neighbor(f'{i}.png', picture, mask, i % 2, 0.9) for i in range(3)]
    page = neighbors_page(query, found, CLASSES, PALETTE)
    assert '&lt;q&gt;.png' in page and '<q>' not in page
    assert page.index('sky 2 of 3') < page.index('sea 1 of 3')
    assert page.count('<figure>') == 3
    assert page.count('data:image/jpeg;base64,') == 4
    assert '$' not in page.split('</style>')[1]


def test_segments_are_those_of_a_bank():
    model = small_segmentor.build(
        data_preprocessor=dict(
            type='SPMLDataPreProcessor',
            mean=[90.0] * 3,
            std=[50.0] * 3,
            bgr_to_rgb=True,
            test_cfg=dict(size_divisor=32),
        )
    ).eval()
    inputs, samples = small_segmentor.batch(size=(37, 50))
    images = (60 * inputs + 100).clamp(0, 255)
    items = [dict(inputs=i, data_samples=s) for i, s in zip(images, samples)]
    index = index_segments(model, items)
    data = model.data_preprocessor(dict(inputs=list(images), data_samples=samples))
    prototypes, labels = model.labeled_segments(data['inputs'], samples)
    torch.testing.assert_close(index.prototypes, prototypes)
    assert torch.equal(index.labels, labels)


@pytest.fixture
def retrieve(monkeypatch, capsys):
    """Function that calls the tool in a folder, and returns all output."""

    def call(root, *arguments, fails=False):
        monkeypatch.chdir(root)
        message = ''
        try:
            run_command('neighbors', *arguments)
        except SystemExit as end:
            message = end.code
        assert bool(message) == fails, message
        return ''.join([*capsys.readouterr(), message])

    return call


def test_model_without_segments(retrieve, tmp_path):
    root = tiny.write_data(tmp_path / 'data', images=2)
    tiny.registered()
    options = {'model.type': 'EncoderDecoder', 'model.decode_head.relations': []}
    cfg = tiny.config(root, tmp_path / 'work', **options)
    cfg.dump(tmp_path / 'plain.py')
    state = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=state, meta={}), tmp_path / 'model.pth')
    query = root / 'JPEGImages' / '1.png'
    output = retrieve(
        root, tmp_path / 'plain.py', tmp_path / 'model.pth', query, 1, 2, fails=True
    )
    assert 'no SPML head' in output


def test_tool(retrieve, tmp_path):
    root = tiny.write_data(tmp_path / 'data', images=4)
    tiny.registered()
    model = MODELS.build(tiny.config(root, tmp_path / 'work').model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'model.pth')
    query = root / 'JPEGImages' / '1.png'
    page = tmp_path / 'page.html'
    inputs = (root / 'tiny.py', tmp_path / 'model.pth', query)
    output = retrieve(root, *inputs, 30, 20, '--out', page)
    assert '20 of' in output and 'training images' in output
    assert page.read_text().count('<figure>') == 20
    output = retrieve(root, *inputs, 99, 0, fails=True)
    assert f'which is {tiny.WIDTH} pixels wide' in output
