import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmseg_spml.annotations.model import Box, WeakAnnotation
from mmseg_spml.datasets import LoadRegions, LoadWeakAnnotations, PackWeakSegInputs
from mmseg_spml.datasets.annotation_samples import packed
from mmseg_spml.functional.regions.methods import REGION_METHODS


def save(path, ids, dtype=np.uint8, mode=None):
    image = Image.fromarray(np.asarray(ids, dtype))
    if mode == 'P':
        image = Image.fromarray(np.asarray(ids, dtype))
        image.putpalette([7 * i % 256 for i in range(768)])
    image.save(path)
    return str(path)


def load_labels(path, num_classes=3, **options):
    results = dict(seg_map_path=str(path), seg_fields=[])
    return LoadWeakAnnotations(num_classes, **options)(results)


class TestLoadWeakAnnotations:
    def test_canonical_values_and_tags(self, tmp_path):
        path = save(tmp_path / 'a.png', [[0, 2, 3], [255, 3, 0]])
        results = load_labels(path)
        assert results['gt_seg_map'].tolist() == [[0, 2, 3], [255, 3, 0]]
        assert results['gt_seg_map'].dtype == np.uint8
        assert results['tags'].tolist() == [0, 0, 1]  # background is no tag
        assert results['tags'].dtype == np.int8
        assert results['seg_fields'] == ['gt_seg_map']

    def test_palette_file_gives_indices(self, tmp_path):
        path = save(tmp_path / 'a.png', [[0, 2, 3, 255]], mode='P')
        assert Image.open(path).mode == 'P'
        assert load_labels(path)['gt_seg_map'].tolist() == [[0, 2, 3, 255]]

    def test_unlabeled_255_leaves_no_void(self, tmp_path):
        path = save(tmp_path / 'a.png', [[0, 1, 255]])
        results = load_labels(path, unlabeled_value=255)
        assert results['gt_seg_map'].tolist() == [[0, 1, 3]]

    def test_declared_value_in_between(self, tmp_path):
        path = save(tmp_path / 'a.png', [[0, 200, 255]])
        assert load_labels(path, unlabeled_value=200)['gt_seg_map'].tolist() == [
            [0, 3, 255]
        ]

    def test_strict_names_file_values_and_remedy(self, tmp_path):
        path = save(tmp_path / 'bad.png', [[0, 4, 77, 255]])
        with pytest.raises(ValueError, match=r'bad\.png.* 4, 77, .*0\.\.2.*release'):
            load_labels(path)

    def test_strict_admits_the_declared_value_only(self, tmp_path):
        path = save(tmp_path / 'bad.png', [[0, 3]])
        with pytest.raises(ValueError, match='values 3, but'):
            load_labels(path, unlabeled_value=255)

    def test_release_takes_everything_above_as_unlabeled(self, tmp_path):
        path = save(tmp_path / 'a.png', [[2, 3, 77, 254, 255]])
        results = load_labels(path, label_range='release')
        assert results['gt_seg_map'].tolist() == [[2, 3, 3, 3, 255]]
        results = load_labels(path, label_range='release', unlabeled_value=255)
        assert results['gt_seg_map'].tolist() == [[2, 3, 3, 3, 3]]

    def test_release_rejects_16_bit_values(self, tmp_path):
        path = save(tmp_path / 'bad.png', [[2, 300]], np.uint16)
        with pytest.raises(ValueError, match=r'bad\.png.*300'):
            load_labels(path, label_range='release')

    def test_many_classes(self, tmp_path):
        path = save(tmp_path / 'a.png', [[0, 253, 254, 255]])
        results = load_labels(path, num_classes=254)
        assert results['gt_seg_map'].tolist() == [[0, 253, 254, 255]]
        assert results['tags'].nonzero()[0].tolist() == [253]
        with pytest.raises(ValueError, match='254 classes'):
            LoadWeakAnnotations(num_classes=255)

    def test_three_channels(self, tmp_path):
        path = save(tmp_path / 'rgb.png', np.zeros((2, 2, 3)))
        with pytest.raises(ValueError, match=r'rgb\.png.*3 channels.*palette'):
            load_labels(path)

    def test_not_an_image(self, tmp_path):
        path = tmp_path / 'broken.png'
        path.write_bytes(b'nothing')
        with pytest.raises(ValueError, match=r'broken\.png'):
            load_labels(path)

    def test_truncated(self, tmp_path):
        ids = np.random.default_rng(0).integers(0, 3, (50, 50))
        path = tmp_path / 'cut.png'
        save(path, ids)
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(ValueError, match=r'cut\.png'):
            load_labels(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'absent\.png.*data_root'):
            load_labels(tmp_path / 'absent.png')

    def test_size_mismatch_names_both_files(self, tmp_path):
        results = dict(
            img=np.zeros((4, 5, 3)),
            img_path='photo.jpg',
            seg_map_path=save(tmp_path / 'a.png', [[0, 1]]),
        )
        with pytest.raises(ValueError, match=r'a\.png is 1x2 .*photo\.jpg is 4x5'):
            LoadWeakAnnotations(3)(results)

    def test_explicit_tags_win(self, tmp_path):
        results = dict(
            seg_map_path=save(tmp_path / 'a.png', [[0, 2]]),
            tags=np.array([False, True, True]),
        )
        results = LoadWeakAnnotations(3)(results)
        assert results['tags'].tolist() == [False, True, True]

    def test_tags_without_map_are_all_unlabeled(self):
        results = dict(img=np.zeros((2, 3, 3)), tags=[True, False, False])
        results = LoadWeakAnnotations(3)(results)
        assert results['gt_seg_map'].tolist() == [[3] * 3] * 2

    def test_neither_map_nor_tags(self):
        with pytest.raises(ValueError, match=r'x\.jpg has no label map'):
            LoadWeakAnnotations(3)(dict(img=np.zeros((2, 3, 3)), img_path='x.jpg'))

    def test_conventions_come_from_the_data_set(self, tmp_path):
        results = dict(
            seg_map_path=save(tmp_path / 'a.png', [[0, 9, 255]]),
            num_classes=2,
            unlabeled_value=255,
            label_range='release',
        )
        results = LoadWeakAnnotations()(results)
        assert results['gt_seg_map'].tolist() == [[0, 2, 2]]

    @pytest.mark.parametrize('value', [2, 256, -1])
    def test_unlabeled_value_must_not_be_a_class(self, value):
        with pytest.raises(ValueError, match=r'3\.\.255'):
            LoadWeakAnnotations(3, unlabeled_value=value)

    def test_four_bit_gray_is_refused(self, tmp_path):
        # Decoders turn the value 1 of such a file into 17.
        import struct
        import zlib

        def chunk(name, data):
            body = name + data
            check = struct.pack('>I', zlib.crc32(body))
            return struct.pack('>I', len(data)) + body + check

        header = struct.pack('>IIBBBBB', 2, 1, 4, 0, 0, 0, 0)
        path = tmp_path / 'four.png'
        path.write_bytes(
            b'\x89PNG\r\n\x1a\n'
            + chunk(b'IHDR', header)
            + chunk(b'IDAT', zlib.compress(b'\x00\x12'))
            + chunk(b'IEND', b'')
        )
        with pytest.raises(ValueError, match=r'four\.png.*4-bit'):
            load_labels(path)


class TestLoadRegions:
    def test_ids_above_255_survive(self, tmp_path):
        path = save(tmp_path / 'r.png', [[0, 255, 256, 65535]], np.uint16)
        results = LoadRegions()(dict(region_map_path=path, seg_fields=[]))
        assert results['region_map'].tolist() == [[0, 255, 256, 65535]]
        assert results['region_map'].dtype == np.uint16
        results['region_map'][0, 0] = 7  # as transforms that cut pieces out
        assert results['seg_fields'] == ['region_map']

    def test_big_endian(self, tmp_path):
        """OpenCV, which resizes maps, takes no notice of the order of bytes."""
        ids = np.array([[0, 255], [256, 65535]], '>u2')
        path = str(tmp_path / 'r.tif')
        Image.fromarray(ids).save(path)
        with Image.open(path) as file:
            assert file.mode == 'I;16B'
        found = LoadRegions()(dict(region_map_path=path))['region_map']
        assert found.dtype.isnative
        assert found.tolist() == ids.tolist()

    def test_8_bit(self, tmp_path):
        path = save(tmp_path / 'r.png', [[0, 255]])
        assert LoadRegions()(dict(region_map_path=path))['region_map'].tolist() == [
            [0, 255]
        ]

    def test_no_source(self):
        with pytest.raises(ValueError, match=r'x\.jpg has no region map.*generate'):
            LoadRegions()(dict(img=np.zeros((2, 2, 3)), img_path='x.jpg'))

    def test_size_mismatch(self, tmp_path):
        path = save(tmp_path / 'r.png', [[0, 1]])
        with pytest.raises(ValueError, match=r'r\.png is 1x2'):
            LoadRegions()(dict(region_map_path=path, img=np.zeros((2, 2, 3))))

    def test_unknown_method(self):
        with pytest.raises(ValueError, match='felzenszwalb'):
            LoadRegions(generate=dict(method='ucm'))

    @pytest.mark.parametrize('order', ['bgr', 'rgb'])
    @pytest.mark.parametrize('dtype', [np.uint8, np.float32])
    def test_generated_from_the_rgb_image(self, monkeypatch, dtype, order):
        seen = []

        def method(image, **options):
            seen.append((image, options))
            return image[..., 0].astype(np.int32) * 300

        monkeypatch.setitem(REGION_METHODS, 'slic', method)
        generate = dict(method='slic', compactness=3)
        load = LoadRegions(generate=generate, cache_dir=None, channel_order=order)
        image = np.arange(12).reshape(2, 2, 3).astype(dtype)
        regions = load(dict(img=image))['region_map']
        ((given, options),) = seen
        red = 2 if order == 'bgr' else 0
        np.testing.assert_array_equal(given[..., 0], image[..., red])
        assert given.dtype == np.uint8
        assert options == dict(compactness=3)
        np.testing.assert_array_equal(regions, image[..., red].astype(int) * 300)

    def test_cache_is_used_and_keyed(self, tmp_path):
        image = np.zeros((20, 20, 3), np.uint8)
        image[:, 10:] = 255
        options = dict(method='felzenszwalb', min_size=5)
        load = LoadRegions(generate=options, cache_dir=str(tmp_path / 'cache'))
        first = load(dict(img=image))['region_map']
        (file,) = (tmp_path / 'cache').iterdir()
        save(file, first + 100)
        again = load(dict(img=image))['region_map']
        np.testing.assert_array_equal(again, first + 100)
        other = LoadRegions(
            generate={**options, 'min_size': 6}, cache_dir=str(tmp_path / 'cache')
        )
        np.testing.assert_array_equal(other(dict(img=image))['region_map'], first)
        load(dict(img=image.reshape(10, 40, 3)))
        names = [path.suffix for path in (tmp_path / 'cache').iterdir()]
        assert names == ['.png'] * 3

    def test_make_file_tells_what_is_new(self, tmp_path):
        image = np.zeros((20, 20, 3), np.uint8)
        load = LoadRegions(generate=dict(method='slic'), cache_dir=str(tmp_path))
        path, made = load.make_file(image)
        assert made and path.startswith(str(tmp_path))
        assert load.make_file(image.astype(np.float32)) == (path, False)
        with pytest.raises(ValueError, match='needs `generate` and `cache_dir`'):
            LoadRegions().make_file(image)

    def test_large_images_are_made_small(self):
        image = np.zeros((30, 60, 3), np.uint8)
        image[:, 30:] = 255
        generate = dict(method='felzenszwalb', min_size=40, sigma=0)
        few = LoadRegions(generate={**generate, 'max_side': 10}, cache_dir=None)
        assert few(dict(img=image))['region_map'].max() == 0
        full = LoadRegions(generate=generate, cache_dir=None)
        regions = full(dict(img=image))['region_map']
        assert regions.shape == (30, 60) and regions.max() == 1
        with pytest.raises(ValueError, match='max_side must be 1 pixel or more'):
            LoadRegions(generate={**generate, 'max_side': 0})


def augmented(height=5, width=7):
    rng = np.random.default_rng(0)
    return dict(
        img=rng.integers(0, 256, (height, width, 3)).astype(np.uint8),
        gt_seg_map=rng.choice([0, 1, 3, 255], (height, width)).astype(np.uint8),
        region_map=rng.integers(0, 65536, (height, width)).astype(np.int32),
        tags=np.array([True, False, True]),
    )


class TestPack:
    def test_fields(self):
        results = augmented(4, 6)
        packed = PackWeakSegInputs()(dict(results, img_path='a.jpg'))
        data = packed['data_samples']
        assert packed['inputs'].shape == (3, 4, 6)
        for name, key, dtype in (
            ('gt_sem_seg', 'gt_seg_map', torch.int64),
            ('region_map', 'region_map', torch.int32),
        ):
            value = data.get(name).data
            assert value.dtype == dtype
            assert value.shape == (1, 4, 6)
            np.testing.assert_array_equal(value[0].numpy(), results[key])
        assert data.gt_tags.label.dtype == torch.int8
        assert data.gt_tags.label.tolist() == [1, 0, 1]
        assert data.metainfo['img_path'] == 'a.jpg'

    def test_without_annotation(self):
        packed = PackWeakSegInputs()(dict(img=np.zeros((4, 6, 3), np.uint8)))
        assert packed['data_samples'].keys() == []

    def test_tags_do_not_share_memory_with_the_results(self):
        results = augmented()
        packed = PackWeakSegInputs()(results)
        results['tags'][:] = False
        assert packed['data_samples'].gt_tags.label.any()


def test_tags_are_those_before_the_crop(tmp_path):
    labels = np.full((40, 40), 3)
    labels[0, 0] = 1
    labels[39, 39] = 2
    pipeline = Compose(
        [
            LoadWeakAnnotations(3),
            RandomCrop(crop_size=(20, 20)),
            PackWeakSegInputs(),
        ]
    )
    path = save(tmp_path / 'a.png', labels)
    for _ in range(10):
        results = dict(img=np.zeros((40, 40, 3)), seg_map_path=path, seg_fields=[])
        data = pipeline(results)['data_samples']
        assert data.gt_tags.label.tolist() == [False, True, True]


def test_ignored_tags_are_cleared_once_where_they_are_loaded(tmp_path):
    """Whatever meta keys are packed, background is no tag."""
    path = save(tmp_path / 'a.png', [[0, 1, 2]])
    for ignored, expected in (({}, [0, 1, 1]), (dict(ignore_tags=(1,)), [1, 0, 1])):
        for options in ({}, dict(meta_keys=('img_path',))):
            results = dict(img=np.zeros((1, 3, 3)), seg_map_path=path, seg_fields=[])
            loaded = LoadWeakAnnotations(3)({**results, **ignored})
            sample = PackWeakSegInputs(**options)(loaded)['data_samples']
            assert sample.gt_tags.label.tolist() == expected
            assert sample.gt_tags.ignored.nonzero().flatten().tolist() == list(
                ignored.get('ignore_tags', (0,))
            )


@pytest.mark.parametrize(
    'name', ['LoadWeakAnnotations', 'LoadRegions', 'PackWeakSegInputs']
)
def test_registered_and_printable(name):
    assert repr(TRANSFORMS.build(dict(type=name))).startswith(name)


@pytest.mark.parametrize('complete', [None, False, True])
def test_box_extents(complete):
    annotation = WeakAnnotation('a.jpg', 2, 3, boxes=[Box('cat', 0, 0, 1, 2)])
    sample = dict(
        annotation=packed(annotation),
        class_names=('background', 'cat'),
        background='background',
        img=np.zeros((2, 3, 3), np.uint8),
    )
    loaded = TRANSFORMS.build(dict(type='LoadBoxExtents', boxes_complete=complete))(
        sample
    )
    sample = PackWeakSegInputs()(loaded)['data_samples']
    extents, tight = sample.box_extents.data, sample.tight_boxes.data
    assert extents.shape == (2, 2, 3) and extents[0].all()
    assert extents[1].tolist() == 2 * [[True, not complete, not complete]]
    assert tight.tolist() == [2 * [3 * [False]], 2 * [[True, False, False]]]


@pytest.mark.parametrize('count', [2, 21, 150])
def test_box_extents_follow_the_labels_through_augmentations(count):
    classes = ('background', *(f'class {i}' for i in range(1, count)))
    boxes = [Box('class 1', 2, 3, 9, 12), Box(classes[-1], 8, 1, 15, 6)]
    annotation = WeakAnnotation('a.jpg', 16, 20, boxes=boxes, boxes_complete=True)
    for seed in range(5):
        sample = dict(
            annotation=packed(annotation),
            class_names=classes,
            background='background',
            num_classes=count,
            img=np.zeros((16, 20, 3), np.uint8),
        )
        steps = [
            dict(type='LoadWeakAnnotations', drawing=dict(fill_boxes=True)),
            dict(type='LoadBoxExtents'),
            dict(type='WeakRandomFlip', prob=0.5),
            dict(type='RandomResizeOfImage', ratio_range=(0.5, 1.5)),
            dict(type='PadToCropSize', size=(18, 22)),
            dict(type='RandomCrop', crop_size=(18, 22), cat_max_ratio=1.0),
            dict(type='PackWeakSegInputs'),
        ]
        np.random.seed(seed)
        for step in steps:
            sample = TRANSFORMS.build(step)(sample)
        packed_sample = sample['data_samples']
        labels, extents = packed_sample.gt_sem_seg.data[0], packed_sample.box_extents
        assert torch.equal(packed_sample.tight_boxes.data[1:], extents.data[1:])
        assert extents.data.dtype == torch.bool
        assert torch.equal(extents.data[0], labels != 255)
        inside = extents.data[1:].any(dim=0)
        assert torch.equal(inside, (labels > 0) & (labels < 255))
        for label in labels.unique().tolist():
            assert label == 255 or extents.data[label][labels == label].all()


def test_box_extents_of_a_limited_image():
    annotation = WeakAnnotation(
        'a.jpg', 40, 60, boxes=[Box('cat', 0, 0, 30, 40)], boxes_complete=True
    )
    sample = dict(
        annotation=packed(annotation),
        class_names=('background', 'cat'),
        background='background',
        img=np.zeros((40, 60, 3), np.uint8),
    )
    for step in (dict(type='LimitSize', max_side=30), dict(type='LoadBoxExtents')):
        sample = TRANSFORMS.build(step)(sample)
    extents = sample['box_classes'][sample['box_extents']]
    assert extents.shape == (20, 30, 2)
    assert extents[:, :15].all() and not extents[:, 15:, 1].any()


def test_box_extents_of_another_size():
    annotation = WeakAnnotation('a.jpg', 40, 60, boxes=[Box('cat', 0, 0, 30, 40)])
    sample = dict(
        annotation=packed(annotation),
        class_names=('cat',),
        background=None,
        img=np.zeros((40, 50, 3), np.uint8),
    )
    with pytest.raises(ValueError, match='a.jpg is 40x60'):
        TRANSFORMS.build(dict(type='LoadBoxExtents'))(sample)


def test_box_extents_need_an_annotation():
    with pytest.raises(ValueError, match="list_format='annotations'"):
        TRANSFORMS.build(dict(type='LoadBoxExtents'))(dict(img_path='a.jpg'))
