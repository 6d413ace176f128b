"""Pickled numpy files are read without running code."""

import io
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from mmseg_spml.io.numpy_dicts import load_numpy_object, read_numpy_object


class Evil:
    def __reduce__(self):
        return os.mkdir, ('evil_was_here',)


class TestRestrictedPickle:
    @staticmethod
    def write(path, stream):
        with open(path, 'wb') as file:
            header = dict(descr='|O', fortran_order=False, shape=())
            np.lib.format.write_array_header_1_0(file, header)
            file.write(stream)

    @pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
    def test_every_protocol(self, tmp_path, protocol):
        path = tmp_path / 'a.npy'
        value = {'a': np.arange(3.0), 'b': np.float32(2), 'c': [1, 'x', None]}
        array = np.empty((), object)
        array[()] = value
        self.write(path, pickle.dumps(array, protocol=protocol))
        loaded = load_numpy_object(str(path))
        assert loaded['a'].tolist() == [0, 1, 2]
        assert loaded['b'] == 2
        assert loaded['c'] == [1, 'x', None]

    def test_code_is_not_run(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        np.save('evil.npy', {'a': Evil()}, allow_pickle=True)
        with pytest.raises(ValueError, match=r'evil\.npy.*mkdir'):
            load_numpy_object('evil.npy')
        assert not os.path.exists('evil_was_here')

    def test_other_codecs_are_refused(self, tmp_path):
        stream = pickle.dumps(b'a', protocol=2)
        assert b'latin1' in stream
        path = tmp_path / 'codec.npy'
        self.write(path, stream.replace(b'latin1', b'utf_16'))
        with pytest.raises(ValueError, match=r'codec\.npy.*utf_16'):
            load_numpy_object(str(path))

    @pytest.mark.parametrize('core', [b'numpy.core', b'numpy._core'])
    def test_files_of_both_generations_of_numpy(self, tmp_path, core):
        stream = pickle.dumps({'a': np.arange(3), 'b': np.int64(4)}, protocol=2)
        for name in (b'numpy._core', b'numpy.core'):
            stream = stream.replace(name + b'.', core + b'.')
        path = tmp_path / 'a.npy'
        self.write(path, stream)
        loaded = load_numpy_object(str(path))
        assert loaded['a'].tolist() == [0, 1, 2]
        assert loaded['b'] == 4

    @pytest.mark.parametrize('content', [b'', b'nothing', b'\x93NUMPY\x01\x00'])
    def test_no_npy_file(self, tmp_path, content):
        path = tmp_path / 'x.npy'
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'x\.npy'):
            load_numpy_object(str(path))

    def test_plain_array(self, tmp_path):
        np.save(tmp_path / 'x.npy', np.arange(4))
        assert load_numpy_object(str(tmp_path / 'x.npy')).tolist() == [0, 1, 2, 3]

    def test_arrays_of_every_shape_and_order(self, tmp_path):
        arrays = {
            'c': np.arange(24, dtype='>f4').reshape(2, 3, 4),
            'f': np.asfortranarray(np.arange(6).reshape(2, 3)),
            'step': np.arange(20)[::3],
            'none': np.zeros((0, 20), np.float32),
            'one': np.array(2.5),
            'truth': np.array([True, False]),
        }
        for protocol in (3, 4, 5):
            array = np.empty((), object)
            array[()] = arrays
            self.write(tmp_path / 'a.npy', pickle.dumps(array, protocol=protocol))
            loaded = load_numpy_object(str(tmp_path / 'a.npy'))
            assert list(loaded) == list(arrays)
            for name, expected in arrays.items():
                assert loaded[name].dtype == expected.dtype.newbyteorder('=')
                np.testing.assert_array_equal(loaded[name], expected)

    def test_one_array_under_two_keys(self, tmp_path):
        array = np.arange(3)
        np.save(tmp_path / 'a.npy', {'a': array, 'b': array}, allow_pickle=True)
        loaded = load_numpy_object(str(tmp_path / 'a.npy'))
        assert loaded['a'].tolist() == loaded['b'].tolist() == [0, 1, 2]

    def test_keys_are_plain(self, tmp_path):
        np.save(tmp_path / 'a.npy', {np.int32(3): 1, np.str_('b'): 2})
        loaded = load_numpy_object(str(tmp_path / 'a.npy'))
        assert [type(key) for key in loaded] == [int, str]


def text(value):
    return b'X' + struct.pack('<I', len(value)) + value


def dtype(code, state=b''):
    return b'cnumpy\ndtype\n' + text(code) + b'K\x00K\x01\x87R' + state


def array(shape, dtype, data):
    named = b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n'
    empty = named + b'K\x00\x85' + text(b'b') + b'\x87R'
    return empty + b'(K\x01' + shape + dtype + b'\x89' + data + b'tb'


def file_of(program, header="{'descr': '|O', 'fortran_order': False, 'shape': ()}"):
    """Build a file in numpy's format, with a pickle after its header."""
    content = header.encode().ljust(117) + b'\n'
    start = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(content))
    return io.BytesIO(start + content + b'\x80\x04' + program + b'.')


ONE = array(b'K\x01\x85', dtype(b'u1'), b'C\x01a')
HUGE = pickle.dumps(2**40, 2)[2:-1] + b'\x85'
REST = b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'


@pytest.mark.parametrize(
    'program, what',
    [
        (array(HUGE, dtype(b'f8'), b'C\x01a'), 'numbers of shape'),
        (array(pickle.dumps(-1, 2)[2:-1] + b'\x85', dtype(b'f8'), b'C\x00'), 'shape'),
        # Objects are pointers, which bytes must not become.
        (array(b'K\x01\x85', dtype(b'O8'), b'C\x08aaaaaaaa'), 'array of numbers'),
        (
            array(b'K\x01\x85', dtype(b'O8', b'(K\x03' + text(b'|') + REST), b'C\x08'),
            'array of numbers|damaged',
        ),
        (array(b'K\x05\x85', dtype(b'O8'), b']'), 'array of numbers'),
        (
            dtype(b'V8', b'(K\x03' + text(b'|') + b'N' + text(b'a') + b'\x85}tb'),
            'no array of numbers',
        ),
        (b'cnumpy\nndarray\n' + HUGE + b'R', 'calls'),
        (b'cnumpy\nndarray\n' + HUGE + b'\x81', 'NEWOBJ'),
        (b'cnumpy.core.multiarray\nscalar\n' + dtype(b'O8') + b'C\x01a\x86R', 'number'),
        (b'c_codecs\nencode\nN}' + text(b'__doc__') + b'Ns\x86b', 'no array'),
        (ONE + b'(K\x01)Nb', 'no array|damaged'),
        (b'\x96' + struct.pack('<Q', 2**62), 'damaged'),
        (b'\x8e' + struct.pack('<Q', 2**62), 'damaged'),
        (b'\x95' + struct.pack('<Q', 2**62), 'damaged'),
        (b'Nr\xff\xff\xff\x7f0', 'POP'),
        (b')' + b'q\x00h\x00\x86' * 60 + b'q\x00}h\x00Ns', 'key, got tuple'),
        (b'(' + b')q\x00h\x00\x86Nd', 'key, got tuple'),
        (b'}' + ONE + b'Ns', 'key, got ndarray'),
        (b'}\x8b' + struct.pack('<i', 9999) + b'\x7f' * 9999 + b'Ns', 'key, got int'),
        (b'N' + b'\x85' * 50_000 + b'}\x94h\x00NNs', 'damaged|key'),
        (b'(ios\nsystem\n', 'INST'),
        (b'cbuiltins\neval\n', 'builtins.eval'),
    ],
)  # fmt: skip
def test_hostile_pickles(program, what):
    file = file_of(program)
    size = len(file.getvalue())
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=what) as error:
            read_numpy_object(file)
        assert tracemalloc.get_traced_memory()[1] < 100 * size + 5_000_000
    finally:
        tracemalloc.stop()
    assert '\n' not in str(error.value)


def test_arrays_cannot_repeat_their_bytes():
    data = b'B' + struct.pack('<I', 10_000) + b'a' * 10_000 + b'q\x00'
    shape = b'M\x10\x27\x85'
    again = array(shape, dtype(b'u1'), b'h\x00')
    with pytest.raises(ValueError, match='repeats its bytes'):
        read_numpy_object(file_of(b'(' + data + again * 500 + b't'))


@pytest.mark.parametrize(
    'header',
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '<f8,', 'fortran_order': False, 'shape': (1,)}",
        "__import__('os').system('true')",
        '(' * 100,
    ],
)
def test_hostile_headers(header):
    with pytest.raises(ValueError, match='damaged'):
        read_numpy_object(file_of(b'', header))
