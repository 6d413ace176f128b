import numpy as np
import pytest
import torch

from mmseg_spml.models import SegmentBank
from mmseg_spml.models import segment_bank as module


def bank():
    prototypes = torch.tensor([[1.0, 0], [0.8, 0.6], [0, 1], [-1, 0]])
    return SegmentBank(prototypes, torch.tensor([2, 2, 0, 1]))


def test_frequencies_of_the_nearest():
    queries = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    out = bank().class_frequencies(queries, neighbours=2, num_classes=3)
    # the nearest of the last one are its own segment and the upright one
    expected = [[0, 0, 1], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    assert out.tolist() == expected


def test_a_small_bank_is_used_whole():
    out = bank().class_frequencies(torch.tensor([[1.0, 0]]), 20, 3)
    assert out.tolist() == [[0.25, 0.25, 0.5]]


def test_save_and_load(tmp_path):
    path = tmp_path / 'deep' / 'bank.npz'
    bank().save(path)
    loaded = SegmentBank.load(path)
    assert torch.equal(loaded.prototypes, bank().prototypes)
    assert torch.equal(loaded.labels, bank().labels)
    assert loaded.labels.dtype == torch.int64
    with np.load(path, allow_pickle=False) as file:
        assert sorted(file.files) == ['labels', 'prototypes']


def test_a_path_may_be_a_string_without_suffix(tmp_path):
    bank().save(str(tmp_path / 'bank'))
    assert len(SegmentBank.load(str(tmp_path / 'bank'))) == 4
    assert [path.name for path in tmp_path.iterdir()] == ['bank']


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'bank.npz'
    bank().save(path)

    def broken(file, **_):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(module.np, 'savez', broken)
    other = SegmentBank(torch.ones(1, 2), torch.tensor([0]))
    with pytest.raises(OSError, match='disk full'):
        other.save(path)
    assert len(SegmentBank.load(path)) == 4


def test_missing_file_is_named(tmp_path):
    path = tmp_path / 'nowhere.npz'
    with pytest.raises(FileNotFoundError, match=r'nowhere\.npz.*SegmentBankHook'):
        SegmentBank.load(path)


def write_text(path):
    path.write_text('no archive at all')


def write_other_arrays(path):
    np.savez(path, prototypes=np.zeros((1, 2)))


def write_pickle(path):
    np.savez(path, prototypes=np.array([{}], dtype=object), labels=np.zeros(1))


def write_empty(path):
    path.write_bytes(b'')


def write_cut_off(path):
    bank().save(path)
    path.write_bytes(path.read_bytes()[:200])


def write_single_array(path):
    with open(path, 'wb') as file:
        np.save(file, np.zeros((2, 2)))


@pytest.mark.parametrize(
    'write',
    [
        write_text,
        write_other_arrays,
        write_pickle,
        write_empty,
        write_cut_off,
        write_single_array,
    ],
)
def test_other_files_are_refused_by_name(write, tmp_path):
    path = tmp_path / 'odd.npz'
    write(path)
    with pytest.raises(ValueError, match=r'odd\.npz is no segment bank'):
        SegmentBank.load(path)


@pytest.mark.parametrize('prototypes, labels', [(0, 0), (2, 3)])
def test_empty_or_uneven_banks(prototypes, labels):
    with pytest.raises(
        ValueError, match=f'{prototypes} prototypes and {labels} labels'
    ):
        SegmentBank(torch.ones(prototypes, 2), torch.zeros(labels))


def test_joining_parts():
    parts = [
        (torch.ones(2, 3), torch.tensor([1, 0])),
        (torch.empty(0, 3), torch.empty(0, dtype=torch.long)),
        (torch.zeros(1, 3), torch.tensor([5])),
    ]
    joined = SegmentBank.from_parts(parts)
    assert joined.labels.tolist() == [1, 0, 5]
    assert joined.prototypes.sum() == 6
    with pytest.raises(ValueError, match='Are any pixels'):
        SegmentBank.from_parts([])
    with pytest.raises(ValueError, match='Are any pixels'):
        SegmentBank.from_parts(parts[1:2])
