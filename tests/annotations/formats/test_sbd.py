"""MAT-files of the Semantic Boundaries Dataset, also damaged ones."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix

from mmseg_spml.annotations.formats import sbd
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap
from mmseg_spml.annotations.voc_classes import VOC_CLASSES

LABELS = np.array([[0, 1, 20, 255], [15, 15, 0, 0], [2, 3, 4, 5]], np.uint8)


def mat_file(labels=LABELS, compressed=True, variable='GTcls', **changes):
    """Write a file with the layout of the data's README by scipy.io.savemat."""
    boundaries = np.empty((20, 1), object)
    for category in range(20):
        boundaries[category, 0] = csc_matrix((3, 4), dtype=bool)
    fields = {
        'Boundaries': boundaries,
        'Segmentation': labels,
        'CategoriesPresent': np.array([[1], [15], [20]], np.uint8),
        **changes,
    }
    stream = io.BytesIO()
    content = {'first': np.arange(3.0), variable: fields}
    savemat(stream, content, do_compression=compressed)
    return stream.getvalue()


def element(order, kind, content):
    """Build a data element by MathWorks' "MAT-File Format"."""
    if 1 <= len(content) <= 4:
        tag = struct.pack(order + 'I', len(content) << 16 | kind)
        return tag + content.ljust(4, b'\0')
    padding = b'\0' * (-len(content) % 8)
    return struct.pack(order + 'II', kind, len(content)) + content + padding


def array(order, kind, shape, name, *parts, flags=0):
    header = element(order, 6, struct.pack(order + 'II', kind | flags, 0))
    header += element(order, 5, struct.pack(f'{order}{len(shape)}i', *shape))
    return element(order, 14, header + element(order, 1, name) + b''.join(parts))


def hand_made(order='<', shape=(3, 4), name=b'GTcls', field=b'Segmentation', **matrix):
    """Build a file with nothing but the map, without scipy."""
    values = matrix.get('values', LABELS.tobytes(order='F'))
    numbers = element(order, matrix.get('storage', 2), values)
    segmentation = array(
        order, matrix.get('kind', 9), shape, b'', numbers, flags=matrix.get('flags', 0)
    )
    names = element(order, 5, struct.pack(order + 'i', matrix.get('step', 16)))
    names += element(order, 1, field.ljust(16, b'\0'))
    variable = array(order, 2, matrix.get('structs', (1, 1)), name, names, segmentation)
    version = struct.pack(order + 'H', 0x0100) + (b'IM' if order == '<' else b'MI')
    return b'MATLAB 5.0 MAT-file'.ljust(124) + version + variable


def saved(folder, content, name='2008_000002.mat'):
    path = folder / name
    path.write_bytes(content)
    return path


def read_bytes(folder, content, **options):
    (annotation,) = sbd.read(saved(folder, content), **options)
    return annotation


@pytest.mark.parametrize('compressed', [True, False])
def test_a_file_in_the_layout_of_the_data_set(tmp_path, compressed):
    content = mat_file(compressed=compressed)
    path = saved(tmp_path, content)
    assert list(sbd.read(path)) == [
        WeakAnnotation('2008_000002.jpg', 3, 4, dense=DenseMap(VOC_CLASSES, LABELS))
    ]
    # Published readers take the map in this way.
    expected = loadmat(path)['GTcls'][0]['Segmentation'][0]
    np.testing.assert_array_equal(read_bytes(tmp_path, content).dense.labels, expected)


@pytest.mark.parametrize('order', '<>')
def test_both_orders_of_bytes(tmp_path, order):
    content = hand_made(order)
    assert read_bytes(tmp_path, content).dense.labels.tolist() == LABELS.tolist()
    read = loadmat(io.BytesIO(content))['GTcls']['Segmentation'].item()
    np.testing.assert_array_equal(read, LABELS)


def test_row_and_column_of_a_pixel(tmp_path):
    labels = np.zeros((2, 3), np.uint8)
    labels[0, 2] = 15
    annotation = read_bytes(tmp_path, mat_file(labels))
    assert annotation.size == (2, 3)
    assert np.argwhere(annotation.dense.labels == 15).tolist() == [[0, 2]]


@pytest.mark.parametrize('dtype', ['f8', 'i4', 'u2', 'f4'])
def test_other_types_of_number_with_whole_values(tmp_path, dtype):
    annotation = read_bytes(tmp_path, mat_file(LABELS.astype(dtype)))
    np.testing.assert_array_equal(annotation.dense.labels, LABELS)
    assert annotation.dense.labels.dtype == np.uint8


def test_other_classes(tmp_path):
    labels = np.array([[0, 1]], np.uint8)
    annotation = read_bytes(tmp_path, mat_file(labels), classes=['rest', 'road'])
    assert annotation.dense == DenseMap(('rest', 'road'), labels)


def test_a_folder_is_read_in_order_and_recognized(tmp_path):
    for name in ('b', 'a'):
        saved(tmp_path, mat_file(), f'{name}.mat')
    assert [a.image for a in sbd.read(tmp_path)] == ['a.jpg', 'b.jpg']
    assert not sbd.recognizes(tmp_path, b'')  # its first variable is another
    saved(tmp_path, hand_made(), 'a.mat')
    assert sbd.recognizes(tmp_path, b'')


def test_writing_is_refused(tmp_path):
    annotation = WeakAnnotation('a.jpg', 3, 4, dense=DenseMap(VOC_CLASSES, LABELS))
    with pytest.raises(AnnotationError, match='index PNGs'):
        sbd.write([annotation], tmp_path / 'out')


def compressed(payload, order='<'):
    content = zlib.compress(payload)
    return hand_made()[:128] + struct.pack(order + 'II', 15, len(content)) + content


MALFORMED = {
    'empty': (b'', 'GTcls: expected a MAT-file'),
    'HDF5': (b'MATLAB 7.3 MAT-file' + hand_made()[19:], 'version 5 to 7'),
    'no order': (hand_made()[:126] + b'XX' + hand_made()[128:], 'version 5 to 7'),
    'header only': (hand_made()[:128], 'no variable GTcls'),
    'cut in a tag': (hand_made()[:132], 'ends within'),
    'cut in the map': (hand_made()[:-5], 'ends within'),
    'instances': (mat_file(variable='GTinst'), 'the folder cls'),
    'no field': (hand_made(field=b'Segments'), 'Segmentation: there is no field'),
    'two structs': (hand_made(structs=(1, 2)), 'Segmentation: expected one struct'),
    'no names': (hand_made(step=0), 'Segmentation: the names'),
    'negative step': (hand_made(step=-1), 'Segmentation: the names'),
    'text': (hand_made(kind=4), 'Segmentation: expected a real matrix'),
    'sparse': (mat_file(csc_matrix((3, 4))), 'Segmentation: expected a real matrix'),
    'complex': (hand_made(flags=0x0800), 'Segmentation: expected a real matrix'),
    '3 axes': (mat_file(np.zeros((2, 3, 2))), 'Segmentation: expected a real matrix'),
    'no pixel': (mat_file(np.zeros((0, 3))), 'Segmentation: the height'),
    'negative': (hand_made(shape=(-3, -4)), 'Segmentation: the height'),
    'too large': (hand_made(shape=(60_000, 60_000)), 'Segmentation: .* more than'),
    'other size': (hand_made(shape=(4, 4)), 'Segmentation: expected 4 x 4 numbers'),
    'no numbers': (hand_made(storage=14), 'Segmentation: expected numbers'),
    'half numbers': (hand_made(storage=9, values=b'12345'), '5 bytes are no whole'),
    'value 21': (mat_file(LABELS + np.uint8(21)), r'Segmentation: .* got \[21'),
    'value 254': (mat_file(np.full((1, 1), 254.0)), r'Segmentation: .* got \[254'),
    'value -1': (mat_file(np.full((1, 1), -1)), r'Segmentation: .* got \[-1'),
    'value 256': (mat_file(np.full((1, 1), 256)), r'Segmentation: .* got \[256'),
    'value 1.5': (mat_file(np.full((1, 1), 1.5)), r'Segmentation: .* got \[1.5'),
    'value nan': (mat_file(np.full((1, 1), np.nan)), r'Segmentation: .* got \[nan'),
    'bad zlib': (compressed(b'')[:-8] + b'12345678', 'malformed compressed'),
    'cut zlib': (compressed(b'')[:136], 'cut off|malformed|ends'),
    'empty zlib': (compressed(b''), 'no variable GTcls'),
}


@pytest.mark.parametrize('case', MALFORMED)
def test_malformed_files_are_named_with_the_place(tmp_path, case):
    content, problem = MALFORMED[case]
    with pytest.raises(AnnotationError, match=problem) as caught:
        read_bytes(tmp_path, content)
    assert f'{tmp_path / "2008_000002.mat"}, GTcls' in str(caught.value)


def test_compressed_data_are_not_unpacked_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sbd, '_MOST_BYTES', 1000)
    with pytest.raises(AnnotationError, match='of more than 1000 bytes'):
        read_bytes(tmp_path, compressed(b'\0' * 10**6))


def test_a_missing_file_and_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='none'):
        list(sbd.read(tmp_path / 'none'))
    with pytest.raises(AnnotationError, match='no .mat file'):
        list(sbd.read(tmp_path))


def plain(content):
    """Build the same file with GTcls as the first variable."""
    stream = io.BytesIO()
    savemat(stream, {'GTcls': content}, do_compression=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        (hand_made('<'), True),
        (hand_made('>'), True),
        (plain({'Segmentation': LABELS}), True),
        (hand_made(name=b'GTinst'), False),
        (compressed(b'')[:-8] + b'12345678', False),
        (b'MATLAB 7.3 MAT-file GTcls', False),
        (b'', False),
    ],
)
def test_only_files_of_this_format_are_recognized(tmp_path, content, expected):
    path = saved(tmp_path, content)
    assert sbd.recognizes(path, content) is expected
    assert sbd.recognizes(tmp_path, b'') is expected
    assert not sbd.recognizes(tmp_path / 'a.bin', content)


FILES = (mat_file(compressed=False), plain({'Segmentation': LABELS}), hand_made('>'))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    content=st.sampled_from(FILES),
    changes=st.lists(
        st.tuples(st.integers(0, 600), st.sampled_from([0, 1, 4, 127, 255])),
        min_size=1,
        max_size=4,
    ),
    end=st.none() | st.integers(0, 3000),
)
def test_mutated_files_give_annotations_or_an_annotation_error(
    tmp_path_factory, content, changes, end
):
    data = bytearray(content)
    for place, value in changes:
        data[120 + place % (len(data) - 120)] = value
    path = saved(tmp_path_factory.mktemp('mutated'), bytes(data[:end]))
    sbd.recognizes(path, path.read_bytes())
    try:
        annotations = list(sbd.read(path))
    except AnnotationError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(a, WeakAnnotation) for a in annotations)
