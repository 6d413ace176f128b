import json
import os

import cv2
import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_spml.annotations.formats import json_lines
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.datasets import WeakSegDataset
from mmseg_spml.io.index_maps import write_index_map

CLASSES = ('background', 'cat', 'dog')
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadWeakAnnotations'),
    dict(type='LoadRegions'),
    dict(type='PackWeakSegInputs'),
]


def save(path, ids, dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(ids, dtype)).save(path)


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(('a', 'b')):
        save(tmp_path / f'images/{name}.jpg', np.full((2, 3, 3), 50 * number))
        save(tmp_path / f'weak/{name}.png', [[0, number, 3], [255, 3, 3]])
        save(tmp_path / f'regions/{name}.png', [[0, 1, 999]] * 2, np.uint16)
    return tmp_path


def write(path, *lines):
    path.write_text('\n'.join(lines) + '\n')
    return path.name


def triples(root, *lines, **options):
    name = write(root / 'list.txt', *lines)
    return WeakSegDataset(
        ann_file=name,
        list_format='triple',
        data_root=str(root),
        metainfo=dict(classes=CLASSES),
        **options,
    )


def stems(root, **options):
    prefix = dict(img_path='images', seg_map_path='weak', region_map_path='regions')
    prefix.update(options.pop('data_prefix', {}))
    options.setdefault('metainfo', dict(classes=CLASSES))
    return WeakSegDataset(data_root=str(root), data_prefix=prefix, **options)


def paths(dataset, root):
    keys = ('img_path', 'seg_map_path', 'region_map_path')
    return [
        [
            info[key] and os.path.relpath(info[key], root)
            for info in [dataset.get_data_info(i)]
            for key in keys
        ]
        for i in range(len(dataset))
    ]


A = 'images/a.jpg weak/a.png regions/a.png'
B = 'images/b.jpg weak/b.png regions/b.png'


class TestLists:
    def test_triples(self, root):
        assert paths(triples(root, A, '', B), root) == [A.split(), B.split()]

    def test_stems_with_the_suffixes_of_the_images(self, root):
        (root / 'images/b.jpg').rename(root / 'images/b.c.png')
        for folder in ('weak', 'regions'):
            (root / folder / 'b.png').rename(root / folder / 'b.c.png')
        (root / 'list.txt').write_text('a.jpg\nb.c.png\n')
        dataset = stems(root, ann_file='list.txt', img_suffix='')
        assert paths(dataset, root)[1] == [
            'images/b.c.png', 'weak/b.c.png', 'regions/b.c.png'
        ]  # fmt: skip
        assert paths(dataset, root)[0] == A.split()

    def test_absolute_paths_and_windows_ends(self, root):
        line = ' '.join(str(root / path) for path in A.split())
        (root / 'list.txt').write_bytes(b'\xef\xbb\xbf' + line.encode() + b'\r\n')
        dataset = WeakSegDataset(
            ann_file=str(root / 'list.txt'),
            list_format='triple',
            metainfo=dict(classes=CLASSES),
        )
        assert paths(dataset, root) == [A.split()]

    def test_image_alone_in_testing(self, root):
        dataset = triples(root, 'images/a.jpg', B, test_mode=True)
        assert paths(dataset, root) == [['images/a.jpg', None, None], B.split()]

    def test_image_alone_in_training(self, root):
        with pytest.raises(ValueError, match=r'list\.txt, line 2: .*test_mode'):
            triples(root, A, 'images/b.jpg')

    def test_paths_that_lead_out(self, root):
        with pytest.raises(
            ValueError, match=r"line 2: names '/etc/passwd'.* leads out"
        ):
            triples(root, A, '/etc/passwd maps/a.png regions/a.png')
        with pytest.raises(ValueError, match=r"names '../b.png'"):
            triples(root, 'images/a.jpg ../b.png regions/a.png')
        inside = ' '.join(str(root / path) for path in A.split())
        assert paths(triples(root, inside), root) == [A.split()]

    def test_links_and_labels_elsewhere(self, root, tmp_path):
        link = tmp_path / 'link'
        link.symlink_to(root)
        inside = ' '.join(str(root / path) for path in A.split())
        write(root / 'links.txt', inside)
        dataset = WeakSegDataset(
            data_root=str(link),
            ann_file='links.txt',
            list_format='triple',
            metainfo=dict(classes=CLASSES),
        )
        assert paths(dataset, root) == [A.split()]
        write(root / 'stems.txt', '../../a')
        with pytest.raises(ValueError, match=r"stems.txt names '../../a.jpg'"):
            stems(root, ann_file='stems.txt')

    @pytest.mark.parametrize('line', [B.rsplit(' ', 1)[0], B + ' x', A + '  ' + B])
    def test_wrong_number_of_columns(self, root, line):
        with pytest.raises(ValueError, match=r'list\.txt, line 3: .*single spaces'):
            triples(root, A, '', line)

    def test_stems(self, root):
        write(root / 'train.txt', 'b', 'a')
        assert paths(stems(root, ann_file='train.txt'), root) == [B.split(), A.split()]

    def test_folder(self, root):
        assert paths(stems(root), root) == [A.split(), B.split()]

    def test_subfolders(self, root):
        for old, new in zip(B.split(), ('images/x/b.jpg', 'weak/x/b.png')):
            (root / new).parent.mkdir()
            (root / old).rename(root / new)
        (found, _) = sorted(paths(stems(root), root), reverse=True)
        assert found == ['images/x/b.jpg', 'weak/x/b.png', 'regions/x/b.png']

    def test_absolute_prefix_elsewhere(self, root, tmp_path_factory):
        other = tmp_path_factory.mktemp('weak_root')
        for name in 'ab':
            save(other / f'points/{name}_w.png', [[0, 1, 3]] * 2)
        dataset = stems(
            root,
            data_prefix=dict(seg_map_path=str(other / 'points'), region_map_path=None),
            seg_map_suffix='_w.png',
        )
        info = dataset.get_data_info(0)
        assert info['seg_map_path'] == str(other / 'points/a_w.png')
        assert info['region_map_path'] is None

    def test_missing_list(self, root):
        with pytest.raises(FileNotFoundError, match=r'none\.txt'):
            stems(root, ann_file='none.txt')

    def test_missing_folder(self, root):
        with pytest.raises(FileNotFoundError, match=r"absent.*'seg_map_path'"):
            stems(root, data_prefix=dict(seg_map_path='absent'))

    @pytest.mark.parametrize('path', A.split())
    def test_first_file_missing(self, root, path):
        (root / path).unlink()
        (root / 'list.txt').write_text('a\nb\n')
        with pytest.raises(FileNotFoundError, match=path):
            stems(root, ann_file='list.txt')
        with pytest.raises(FileNotFoundError, match=path):
            triples(root, A, B)

    def test_later_file_missing_is_named_at_loading(self, root):
        (root / 'weak/b.png').unlink()
        dataset = stems(root, pipeline=PIPELINE)
        dataset[0]
        with pytest.raises(FileNotFoundError, match=r'weak/b\.png'):
            dataset[1]

    def test_the_suffix_of_the_images_is_found(self, root):
        folder = root / 'found'
        folder.mkdir()
        prefix = dict(img_path=str(folder))
        for name in ('b.png', 'a.png'):
            Image.new('RGB', (4, 4)).save(folder / name)
        options = dict(metainfo=dict(classes=('a', 'b')), test_mode=True)
        found = WeakSegDataset(data_prefix=prefix, **options)
        names = [found.get_data_info(i)['img_path'] for i in range(len(found))]
        assert names == [str(folder / 'a.png'), str(folder / 'b.png')]
        Image.new('RGB', (4, 4)).save(folder / 'c.bmp')
        with pytest.raises(ValueError, match=r'images end in \.bmp, \.png: set'):
            WeakSegDataset(data_prefix=prefix, **options)

    def test_no_image(self, root):
        with pytest.raises(ValueError, match=r'\.bmp'):
            stems(root, img_suffix='.bmp')

    def test_indices(self, root):
        assert len(stems(root, indices=1)) == 1


class TestConventions:
    def test_sample(self, root):
        data = stems(root, pipeline=PIPELINE)[1]['data_samples']
        assert data.gt_sem_seg.data.tolist() == [[[0, 1, 3], [255, 3, 3]]]
        assert data.region_map.data.tolist() == [[[0, 1, 999]] * 2]
        assert data.gt_tags.label.tolist() == [0, 1, 0]  # background is no tag

    def test_unlabeled_255(self, root):
        save(root / 'weak/a.png', [[0, 1, 255]] * 2)
        dataset = stems(root, pipeline=PIPELINE, unlabeled_value=255)
        data = dataset[0]['data_samples']
        assert data.gt_sem_seg.data.tolist() == [[[0, 1, 3]] * 2]

    def test_strict_or_release(self, root):
        save(root / 'weak/a.png', [[0, 77, 255]] * 2)
        with pytest.raises(ValueError, match=r'weak/a\.png.* 77'):
            stems(root, pipeline=PIPELINE)[0]
        dataset = stems(root, pipeline=PIPELINE, label_range='release')
        assert dataset[0]['data_samples'].gt_sem_seg.data.unique().tolist() == [
            0,
            3,
            255,
        ]

    def test_ignore_tags(self, root):
        assert stems(root).metainfo['ignore_tags'] == (0,)
        assert stems(root, ignore_tags=[]).metainfo['ignore_tags'] == ()
        info = dict(classes=CLASSES, ignore_tags=(1, 2))
        assert stems(root, metainfo=info).metainfo['ignore_tags'] == (1, 2)
        with pytest.raises(ValueError, match='ignore_tags'):
            stems(root, ignore_tags=(3,))

    def test_palette_is_kept(self, root):
        info = dict(classes=CLASSES, palette=[[1, 2, 3]] * 3)
        assert stems(root, metainfo=info).metainfo['palette'] == [[1, 2, 3]] * 3

    @pytest.mark.parametrize(
        'options, message',
        [
            (dict(metainfo=None), 'classes'),
            (dict(list_format='pairs'), 'pairs'),
            (dict(label_range='loose'), 'loose'),
            (dict(unlabeled_value=2), r'3\.\.255'),
            (dict(reduce_zero_label=True), 'reduce_zero_label'),
        ],
    )
    def test_wrong_options(self, root, options, message):
        with pytest.raises(ValueError, match=message):
            stems(root, **options)

    def test_mmseg_loader_reads_the_same_masks(self, root):
        pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
        results = stems(root, pipeline=pipeline, test_mode=True)[1]
        assert results['gt_seg_map'].tolist() == [[0, 1, 3], [255, 3, 3]]

    def test_registered(self, root):
        dataset = DATASETS.build(
            dict(
                type='WeakSegDataset',
                data_root=str(root),
                data_prefix=dict(img_path='images'),
                metainfo=dict(classes=CLASSES),
            )
        )
        assert len(dataset) == 2


class TestTags:
    def test_explicit_tags_reach_the_sample(self, root):
        (root / 'tags.json').write_text(json.dumps({'a': [2], 'b': []}))
        dataset = stems(root, pipeline=PIPELINE, tags_file='tags.json')
        tags = [dataset[i]['data_samples'].gt_tags.label.tolist() for i in (0, 1)]
        assert tags == [[False, False, True], [False] * 3]

    def test_images_with_tags_only(self, root):
        (root / 'tags.json').write_text(json.dumps({'a': [0, 2], 'b': [0]}))
        dataset = triples(
            root, 'images/a.jpg', tags_file='tags.json', pipeline=PIPELINE[:2]
        )
        results = dataset[0]
        assert results['gt_seg_map'].tolist() == [[3] * 3] * 2
        assert results['tags'].tolist() == [0, 0, 1]

    def test_image_without_entry(self, root):
        (root / 'tags.json').write_text('{"a": [1]}')
        with pytest.raises(ValueError, match=r'tags\.json has no entry .*/b\b'):
            stems(root, tags_file='tags.json')
        dataset = stems(root, tags_file='tags.json', test_mode=True)
        assert dataset.get_data_info(0)['tags'].tolist() == [False, True, False]
        assert 'tags' not in dataset.get_data_info(1)

    def test_missing_file(self, root):
        with pytest.raises(FileNotFoundError, match=r'no\.json'):
            stems(root, tags_file='no.json')


def test_label_dir_replaces_the_label_column(tmp_path):
    for name in ('images', 'weak', 'pseudo'):
        (tmp_path / name).mkdir()
    gray = Image.fromarray(np.zeros((4, 4), np.uint8))
    for path in ('images/a.jpg', 'weak/a.png', 'weak/r.png', 'pseudo/a.png'):
        gray.save(tmp_path / path)
    (tmp_path / 'list.txt').write_text('images/a.jpg weak/a.png weak/r.png\n')
    dataset = WeakSegDataset(
        metainfo=dict(classes=('background', 'cat')),
        data_root=str(tmp_path),
        ann_file='list.txt',
        list_format='triple',
        label_dir=str(tmp_path / 'pseudo'),
    )
    info = dataset.get_data_info(0)
    assert info['seg_map_path'] == str(tmp_path / 'pseudo/a.png')
    assert info['region_map_path'] == str(tmp_path / 'weak/r.png')


@pytest.fixture
def two_folders(tmp_path):
    """Images of one name in two folders, and annotations of both."""
    found = []
    for folder in ('a', 'b'):
        (tmp_path / 'images' / folder).mkdir(parents=True)
        image = np.zeros((4, 6, 3), np.uint8)
        cv2.imwrite(str(tmp_path / 'images' / folder / '1.jpg'), image)
        found.append(WeakAnnotation(f'{folder}/1.jpg', 4, 6, tags={'cat'}))
    json_lines.write(found, tmp_path / 'weak.jsonl')
    return tmp_path


def of_two_folders(root, **options):
    return WeakSegDataset(
        metainfo=dict(classes=('background', 'cat')),
        list_format='annotations',
        ann_file=str(root / 'weak.jsonl'),
        data_prefix=dict(img_path=str(root / 'images')),
        **options,
    )


def test_images_do_not_share_a_map(two_folders):
    maps = two_folders / 'maps'
    maps.mkdir()
    write_index_map(str(maps / '1.png'), np.zeros((4, 6), np.uint8))
    with pytest.raises(ValueError, match='would share the map .*1.png'):
        of_two_folders(two_folders, region_dir=str(maps))
    for folder in ('a', 'b'):
        write_index_map(str(maps / folder / '1.png'), np.zeros((4, 6), np.uint8))
    dataset = of_two_folders(two_folders, region_dir=str(maps))
    paths = [dataset.get_data_info(index)['region_map_path'] for index in range(2)]
    assert paths == [str(maps / folder / '1.png') for folder in ('a', 'b')]


def test_lists_do_not_guess_between_images_of_one_name(two_folders):
    names = two_folders / 'list.txt'
    names.write_text('1\n')
    with pytest.raises(ValueError, match='names 1, which several images'):
        of_two_folders(two_folders, image_list=str(names))
    names.write_text('b/1.jpg\n')
    dataset = of_two_folders(two_folders, image_list=str(names))
    assert len(dataset) == 1
    assert dataset.get_data_info(0)['img_path'].endswith('b/1.jpg')


def test_images_do_not_share_tags(two_folders):
    (two_folders / 'list.txt').write_text('a/1\nb/1\n')
    tags = two_folders / 'tags.json'
    tags.write_text('{"1": [1]}')

    def dataset():
        return WeakSegDataset(
            metainfo=dict(classes=('background', 'cat')),
            ann_file=str(two_folders / 'list.txt'),
            data_prefix=dict(img_path=str(two_folders / 'images')),
            tags_file=str(tags),
        )

    with pytest.raises(ValueError, match=r'would share the entry 1 of .*tags\.json'):
        dataset()
    tags.write_text('{"a/1": [1], "b/1": [0]}')
    found = [dataset().get_data_info(index)['tags'].tolist() for index in range(2)]
    assert found == [[False, True], [True, False]]
