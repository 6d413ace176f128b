"""Pickled multi-hot rows: files of the literature, and hostile files."""

import os
import pickle
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from mmseg_spml.annotations.formats import tag_npy
from mmseg_spml.annotations.model import AnnotationError, Box, WeakAnnotation
from mmseg_spml.annotations.voc_classes import VOC_CLASSES

CLASSES = ('background', 'cat', 'dog')
HEADER = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Write pictures 6 wide and 4 high."""
    folder = tmp_path_factory.mktemp('images')
    (folder / 'x').mkdir()
    names = ['2007_000032.jpg', '2007_000039.jpg', 'x/a.b.png', 'twice.jpg']
    names += ['twice.png', 'COCO_val2014_000000000042.JPG', '000000000139.jpg']
    for name in names:
        Image.new('RGB', (6, 4)).save(folder / name)
    return folder


def row(*values, dtype=np.float32):
    return np.array(values, dtype)


def saved(path, content):
    np.save(path, content, allow_pickle=True)
    return path


def wrapped(path, pickled):
    """Write a pickle as numpy.save would."""
    header = HEADER.ljust(117) + b'\n'
    head = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header))
    path.write_bytes(head + header + pickled)
    return path


def pickled(content, protocol=2, numpy=1):
    """Pickle as numpy 1 did, which used protocol 2 until version 1.16."""
    array = np.empty((), object)
    array[()] = content
    data = pickle.dumps(array, protocol=protocol)
    if numpy == 1 and protocol == 2:
        data = data.replace(b'cnumpy._core.', b'cnumpy.core.')
    return data


def read(path, images, classes=CLASSES):
    return list(tag_npy.read(path, images=images, classes=classes))


def of(image, *tags):
    return WeakAnnotation(image, 4, 6, tags=tags, tags_complete=True)


def test_a_file_as_the_literature_writes_it(tmp_path, images):
    # AffinityNet's voc12/make_cls_labels.py fills ones into zeros((20,), float32).
    rows = {'2007_000032': np.zeros(20, np.float32)}
    rows['2007_000032'][[0, 14]] = 1.0
    path = saved(tmp_path / 'cls_labels.npy', rows)
    assert read(path, images, VOC_CLASSES) == [
        of('2007_000032.jpg', 'aeroplane', 'person')
    ]
    assert tag_npy.recognizes(path, path.read_bytes())


@pytest.mark.parametrize('number', [int, np.int32, np.int64])
def test_irn_writes_names_as_numbers(number, tmp_path, images):
    rows = {number(2007000039): row(0, 1), number(2007000032): row(1, 1)}
    path = saved(tmp_path / 'cls_labels.npy', rows)
    assert read(path, images) == [
        of('2007_000039.jpg', 'dog'),
        of('2007_000032.jpg', 'cat', 'dog'),
    ]


def test_numbers_of_coco_images(tmp_path, images):
    path = saved(tmp_path / 'a.npy', {42: row(0, 0), 139: row(1, 0)})
    assert read(path, images) == [
        of('COCO_val2014_000000000042.JPG'),
        of('000000000139.jpg', 'cat'),
    ]


def test_names_out_of_a_numpy_array(tmp_path, images):
    names = np.array(['2007_000032', '2007_000039'])
    path = saved(tmp_path / 'a.npy', {name: row(1, 0) for name in names})
    assert [one.image for one in read(path, images)] == [f'{n}.jpg' for n in names]


@pytest.mark.skipif(np.__version__ < '2', reason='writes the files of NumPy 1 by 2')
@pytest.mark.parametrize('protocol', [2, 3, 4])
@pytest.mark.parametrize('numpy', [1, 2])
def test_files_of_older_versions(protocol, numpy, tmp_path, images):
    rows = {'2007_000032': row(1, 0), np.int32(2007000039): row(0, 1, dtype='>f8')}
    data = pickled(rows, protocol, numpy)
    assert (b'numpy.core' in data) == (protocol == 2 and numpy == 1)
    path = wrapped(tmp_path / 'a.npy', data)
    assert read(path, images) == [
        of('2007_000032.jpg', 'cat'),
        of('2007_000039.jpg', 'dog'),
    ]


def test_a_file_of_python_2(tmp_path, images):
    # The strings of Python 2 are bytes (SHORT_BINSTRING, 'U').
    def text(value):
        return b'U' + bytes([len(value)]) + value

    def array(shape, dtype, content):
        named = b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n'
        empty = named + b'K\x00\x85' + text(b'b') + b'\x87R'
        state = b'(K\x01' + shape + dtype + b'\x89' + content + b't'
        return empty + state + b'b'

    def dtype(code, order, flag):
        made = b'cnumpy\ndtype\n' + text(code) + b'K\x00K\x01\x87R'
        rest = b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK' + flag + b'tb'
        return made + b'(K\x03' + text(order) + rest

    numbers = text(np.array([0, 1], '<f4').tobytes())
    values = array(b'K\x02\x85', dtype(b'f4', b'<', b'\0'), numbers)
    content = b']}' + text(b'2007_000032') + values + b'sa'
    whole = array(b')', dtype(b'O8', b'|', b'?'), content)
    path = wrapped(tmp_path / 'a.npy', b'\x80\x02' + whole + b'.')
    assert read(path, images) == [of('2007_000032.jpg', 'dog')]


def test_rows_with_a_place_for_the_background(tmp_path, images):
    rows = {'2007_000032': row(1, 0, 1), '2007_000039': row(0, 1, 0, dtype=bool)}
    path = saved(tmp_path / 'a.npy', rows)
    assert read(path, images) == [
        of('2007_000032.jpg', 'background', 'dog'),
        of('2007_000039.jpg', 'cat'),
    ]
    path = saved(tmp_path / 'b.npy', {'2007_000032': row(1, 0)})
    assert read(path, images, ('cat', 'dog')) == [of('2007_000032.jpg', 'cat')]


def test_round_trip(tmp_path, images):
    annotations = [of('2007_000032.jpg', 'cat'), of('x/a.b.png')]
    path = tmp_path / 'new' / 'a.npy'
    assert tag_npy.write(annotations, path, classes=CLASSES) == 0
    stored = np.load(path, allow_pickle=True).item()
    assert list(stored) == ['2007_000032', 'x/a.b']
    assert stored['2007_000032'].dtype == np.float32
    assert stored['2007_000032'].tolist() == [1, 0]
    assert read(path, images) == annotations


def test_what_is_left_out(tmp_path, images):
    complete = WeakAnnotation(
        *('2007_000032.jpg', 4, 6),
        tags={'cat'},
        tags_complete=True,
        boxes=[Box('cat', 0, 0, 1, 1), Box('background', 2, 2, 3, 3)],
    )
    partial = WeakAnnotation('2007_000039.jpg', 4, 6, tags={'cat'}, absent={'dog'})
    path = tmp_path / 'a.npy'
    assert tag_npy.write([complete, partial], path, classes=CLASSES) == 4
    assert read(path, images) == [of('2007_000032.jpg', 'cat')]


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / 'a.npy'
    with pytest.raises(AnnotationError, match='a.npy: .*--classes'):
        tag_npy.write([of('a.jpg')], path)
    with pytest.raises(AnnotationError, match='a.png: .*suffix'):
        tag_npy.write([of('a.jpg'), of('a.png')], path, classes=CLASSES)
    with pytest.raises(AnnotationError, match=r"\['cow'\] are none"):
        tag_npy.write([of('a.jpg', 'cow')], path, classes=CLASSES)
    marked = of('a.jpg', 'cat')
    marked.boxes = [Box('dog', 0, 0, 1, 1)]
    with pytest.raises(AnnotationError, match=r"a.jpg: .*exclude \['dog'\]"):
        tag_npy.write([marked], path, classes=CLASSES)
    assert not path.exists()


@pytest.mark.parametrize(
    'content, what',
    [
        ({'nothing': row(1, 0)}, "image 'nothing': there is no image"),
        ({'../x': row(1, 0)}, "image '../x': .*leads out"),
        ({'twice': row(1, 0)}, "image 'twice': .*twice.jpg.*twice.png"),
        ({7: row(1, 0)}, "image '7': there is no image"),
        ({'2007_000032': row(1, 0, 0, 1)}, "image '2007_000032': .*4 places, but 3"),
        ({'2007_000032': row(0.7, 0)}, r"image '2007_000032': .*got \[0.69"),
        ({'2007_000032': row(np.nan, 0)}, r'got \[nan\]'),
        ({'2007_000032': row(-1, 0)}, r'got \[-1.0\]'),
        ({'2007_000032': [1, 0]}, "image '2007_000032': .*got list"),
        ({'2007_000032': None}, 'got NoneType'),
        ({'2007_000032': np.array(['a', 'b'])}, 'array of numbers, got .*U1'),
        ({'2007_000032': np.array([None])}, 'array of numbers'),
        ({'2007_000032': np.zeros((1, 2))}, 'row of numbers, got shape'),
        ({'2007_000032': np.array(1.0)}, 'row of numbers'),
        ({'2007_000032': np.zeros(2, 'f4,f4')}, 'no array of numbers|damaged'),
        ({'2007_000032': np.zeros(2, 'M8[s]')}, 'array of numbers, got .*M8'),
        ({(1, 2): row(1, 0)}, 'key, got tuple'),
        ({-1: row(1, 0)}, 'key, got int'),
        ({10**5000: row(1, 0)}, 'key, got int'),
        ({True: row(1, 0)}, 'key, got bool'),
        ([row(1, 0)], 'expected'),
        ({'2007_000032': complex(1)}, 'pickle names .*complex'),
        ({'2007_000032': {1, 2}}, 'EMPTY_SET'),
    ],
)
def test_other_contents(content, what, tmp_path, images):
    path = wrapped(tmp_path / 'tags.npy', pickled(content, 4))
    with pytest.raises(AnnotationError, match=f'tags.npy.*{what}'):
        read(path, images)


def test_missing_folders_and_files(tmp_path, images):
    path = saved(tmp_path / 'tags.npy', {'2007_000032': row(1, 0)})
    with pytest.raises(AnnotationError, match="tags.npy, image '2007.*--images"):
        read(path, None)
    with pytest.raises(AnnotationError, match='tags.npy: .*--classes'):
        read(path, images, None)
    with pytest.raises(AnnotationError, match='got a folder'):
        read(tmp_path, images)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / 'nothing.npy', images)


def test_other_files(tmp_path, images):
    path = saved(tmp_path / 'tags.npy', np.zeros((3, 3)))
    with pytest.raises(AnnotationError, match='tags.npy: .*got an array'):
        read(path, images)
    assert not tag_npy.recognizes(path, path.read_bytes())
    path.write_text('image,tags\n')
    with pytest.raises(AnnotationError, match='tags.npy: .*got another file'):
        read(path, images)
    assert not tag_npy.recognizes(path, path.read_bytes())
    assert not tag_npy.recognizes(tmp_path, b'')


class Harm:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
def test_a_file_runs_no_code(protocol, tmp_path, images):
    harm = tmp_path / 'harm'
    for number, content in enumerate([{'a': Harm(harm)}, {Harm(harm): 1}, Harm(harm)]):
        path = wrapped(tmp_path / f'{number}.npy', pickle.dumps(content, protocol))
        with pytest.raises(AnnotationError, match=f'{number}.npy'):
            read(path, images)
    assert not harm.exists()
    pickle.loads(pickle.dumps(Harm(harm)))
    assert harm.exists()


NAME = b'cnumpy\nndarray\n'
ENCODE = b'c_codecs\nencode\n'


@pytest.mark.parametrize(
    'program',
    [
        b'cos\nsystem\n(X\x04\x00\x00\x00truetR',
        b'cbuiltins\neval\n(X\x01\x00\x00\x001tR',
        b'cnumpy.testing._private.utils\nrunstring\n',
        b'cnumpy\nload\n',
        b'cnumpy\nndarray.tofile\n',
        b'cnumpy.core.multiarray\nfromfile\n',
        NAME + b'(J\xff\xff\xff\x7ftR',  # would ask for 2 GiB
        NAME + b'}X\x01\x00\x00\x00aK\x01sb',  # would set an attribute
        NAME + b')\x81',  # NEWOBJ
        b'\x8c\x02os\x8c\x06system\x93',
        b'\x8c\x02os\x85\x8c\x06system\x93',
        b'r\xff\xff\xff\x7f',  # would ask for a memory of 2^31 places
        b'Nr\xff\xff\xff\x7fj\xff\xff\xff\x7f',
        b'N' + b'\x85' * 100_000 + b'}\x94h\x00NNs',
        b')' + b'q\x00h\x00\x86' * 60 + b'q\x00}h\x00Ns',  # 2^60 to hash
        b'\x8e\xff\xff\xff\xff\xff\xff\xff\x7f',  # 2^63 bytes
        b'\x82\x01',  # extension registry
        b'Pid\n',
        b'K\x01Q',
        ENCODE + b'X\x01\x00\x00\x00aX\x06\x00\x00\x00base64\x86R',
        b'R', b'b', b't', b's', b'(u', b'a', b'h\x07', b'\x94', b'', b'\x93', b'\x87',
    ],
)  # fmt: skip
def test_programs_that_mean_harm(program, tmp_path, images):
    path = wrapped(tmp_path / 'tags.npy', b'\x80\x04' + program + b'.')
    with pytest.raises(AnnotationError, match='tags.npy'):
        read(path, images)


def test_bytes_cannot_be_repeated(tmp_path, images):
    text = b'X\xff\x00\x00\x00' + b'a' * 255 + b'q\x00'
    again = ENCODE + b'h\x00X\x06\x00\x00\x00latin1\x86R'
    path = wrapped(tmp_path / 'tags.npy', b'\x80\x02' + text + again * 99 + b'.')
    with pytest.raises(AnnotationError, match='tags.npy: .*repeats its bytes'):
        read(path, images)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), protocol=st.sampled_from([2, 4]))
def test_damaged_files_are_read_or_refused(seed, protocol, tmp_path_factory, images):
    rng = random.Random(seed)
    rows = {'2007_000032': row(1, 0), np.int32(2007000039): row(0, 1)}
    path = wrapped(
        tmp_path_factory.getbasetemp() / 'damaged.npy', pickled(rows, protocol)
    )
    good = path.read_bytes()
    for _ in range(5):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(128 * rng.randint(0, 1), len(data))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            read(path, images)
        except AnnotationError as error:
            assert 'damaged.npy' in str(error)
