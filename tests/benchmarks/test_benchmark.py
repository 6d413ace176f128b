"""Tests of the benchmarks: turns, memory, agreement, tables, and each small part."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import goldens
import pytest
import torch
import torch.nn.functional as F

from benchmarks import PARTS, Comparison, Settings, measure
from benchmarks.__main__ import parse_args
from benchmarks.agreement import largest_difference
from benchmarks.measurement import _status_bytes
from benchmarks.plot import plot_scaling
from benchmarks.scene import generate_scene
from benchmarks.table import entries, markdown
from mmseg_spml.functional.segments.retrieval import nearest_segments
from mmseg_spml.functional.tiling import most_probable

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'experiments/configs/spml/efficientnet_lite0_camvid_scribbles.py'
CPU = torch.device('cpu')
MACHINE = dict(device='a', threads=1, torch='2', gflop_s=10.0, gb_s=1.0)
LARGE = 1 << 24  # bytes


def comparison(calls, once=()):
    def variant(name, size):
        def run():
            calls.append(name)
            return float(torch.ones(size, dtype=torch.uint8)[-1])

        return run

    def agreement(found, expected):
        assert found == expected == 1
        return 'equal'

    return Comparison(
        'ones',
        {'ours': variant('ours', 8), 'theirs': variant('theirs', LARGE)},
        'theirs',
        agreement,
        gflop=2.0,
        gigabytes=0.1,
        once=frozenset(once),
    )


def test_variants_run_in_turn():
    calls = []
    measure(comparison(calls), CPU, repeats=2)
    assert calls == ['ours', 'theirs'] * 3
    calls.clear()
    ours, theirs = measure(comparison(calls, ['theirs']), CPU, repeats=2)
    assert calls == ['ours', 'ours', 'theirs', 'ours']
    assert (len(ours.seconds), len(theirs.seconds)) == (2, 1)
    assert (ours.agreement, theirs.agreement) == ('equal', '')
    with pytest.raises(ValueError, match='repeats'):
        measure(comparison(calls), CPU, repeats=0)


@pytest.mark.skipif(_status_bytes('VmHWM') is None, reason='needs /proc')
def test_peak_memory_is_that_of_the_variant():
    ours, theirs = measure(comparison([]), CPU, repeats=1)
    assert ours.peak_mb < 4
    assert 0.9 * LARGE / 2**20 < theirs.peak_mb < LARGE / 2**20 + 8


def test_table():
    ours, theirs = measure(comparison([]), CPU, repeats=1)
    ours.seconds, theirs.seconds = [0.1, 0.2, 0.4], [0.8]
    ours.peak_mb, theirs.peak_mb = 2.0, 10.0
    found = entries(comparison([]), [ours, theirs], MACHINE)
    assert found['floor_ms'] == pytest.approx(200)
    assert found['variants']['ours']['ms'] == pytest.approx(200)
    assert found['variants']['ours']['spread_ms'] == pytest.approx([100, 400])
    assert found['variants']['ours']['faster'] == pytest.approx(4)
    assert found['variants']['ours']['leaner'] == pytest.approx(5)
    text = markdown(MACHINE, [found])
    assert 'Ones; 2 GFLOP, floor 200 ms:' in text
    assert '| ours | 200 | 100–400 | 3 | 100% | 4 | 2 | 5 | equal |' in text
    assert '| theirs | 800 |  | 1 | 25% | 1 | 10 | 1 |  |' in text


# Parts with tests of their own, most of which need a config.
OTHERS = {'iteration', 'inference', 'photograph', 'commands'}


@pytest.mark.parametrize('part', sorted(set(PARTS) - OTHERS))
def test_own_variants_agree_with_the_baseline(part):
    comparisons = PARTS[part](Settings(CPU, small=True))
    # Some of the growing sizes suffice.
    for compared in comparisons[:: 4 if part == 'scaling' else 1]:
        found = measure(compared, CPU, repeats=1)  # raises if they do not agree
        assert found[0].variant == next(iter(compared.variants))
        if part == 'regions':  # its variants do different things
            continue
        results = [torch.full((3, 20), 2.0), torch.ones(3, 20)]
        with pytest.raises(RuntimeError, match='the variants differ'):
            compared.agreement(*results)


@pytest.mark.parametrize('part, variants', [('iteration', 4), ('inference', 3)])
def test_parts_of_a_network(part, variants):
    assert PARTS[part](Settings(CPU, small=True)) == []
    (compared,) = PARTS[part](Settings(CPU, small=True, config=CONFIG))
    found = measure(compared, CPU, repeats=1)
    assert len(found) == variants and all(m.median > 0 for m in found)


def test_a_photograph_in_tiles_and_whole():
    assert PARTS['photograph'](Settings(CPU, small=True)) == []
    compared = PARTS['photograph'](Settings(CPU, small=True, config=CONFIG))
    for one in compared:
        tiled, whole = measure(one, CPU, repeats=1)
        assert tiled.agreement and (tiled.variant, whole.variant) == (
            'in tiles',
            'whole',
        )


def test_iteration_of_a_config_that_has_co_occurrence():
    config = ROOT / 'configs/spml/efficientnet_lite0_voc_scribbles.py'
    (compared,) = PARTS['iteration'](Settings(CPU, small=True, config=config))
    names = ['SPML', 'SPML with propagation', 'cross-entropy']
    assert list(compared.variants) == names
    assert compared.variants['SPML']() > compared.variants['cross-entropy']() > 0


def test_scene_of_a_file():
    file = goldens.folder().parent / 'bench' / 'step_scene.npz'
    if not file.is_file():
        pytest.skip(f'no scene {file}')
    scene = Settings(CPU, scene=file).training_step()
    assert scene.labels.shape == scene.regions.shape
    assert len(scene.tags) == len(scene.embedding) == 4


# On an idle machine the ratios are half of the bounds or less.
RATIOS = {
    'iteration': [
        ('SPML', 'cross-entropy', 2),
        ('SPML with propagation', 'SPML', 2),
    ],
    'inference': [
        ('retrieval at the embedding', 'classifier', 3),
        ('retrieval at the input', 'classifier', 8),
    ],
    'commands': [
        ('mmseg-spml --help', 'import torch', 0.3),
        ('mmseg-spml convert', 'import torch', 0.8),
        ('mmseg-spml check', 'import torch', 0.8),
    ],
}


@pytest.mark.parametrize('part', RATIOS)
def test_ratios_of_what_people_wait_for(part):
    """The bounds are loose, since the machine may be busy."""
    (compared, *_) = PARTS[part](Settings(CPU, small=True, config=CONFIG))
    repeats = 1 if part == 'commands' else 3
    times = {m.variant: m.median for m in measure(compared, CPU, repeats)}
    for variant, baseline, bound in RATIOS[part]:
        assert times[variant] < bound * times[baseline], variant


def test_labels_of_large_images_take_less_than_argmax():
    """They take a tenth of the time on an idle machine."""
    maps = torch.rand(12, 400, 600, generator=torch.Generator().manual_seed(0))
    compared = Comparison(
        'labels',
        {'ours': lambda: most_probable(maps), 'argmax': lambda: maps.argmax(dim=0)},
        'argmax',
        largest_difference,
    )
    ours, theirs = measure(compared, CPU, repeats=9)
    assert theirs.median > 2 * ours.median


class ShorterSettings(Settings):
    """Settings with half of the images and twice the memory of a usual step."""

    def training_step(self):
        return generate_scene(self.device, images=2, side=96, memory=3200)


def test_the_step_is_faster_and_leaner_than_whole_matrices():
    """The step is 5 times as fast and 17 times as lean on an idle machine."""
    (compared,) = PARTS['step'](ShorterSettings(CPU))
    for _ in range(3):  # other work on the machine can only hide the difference
        ours, dense = measure(compared, CPU, repeats=1)
        if dense.median > 3 * ours.median:
            break
    assert dense.median > 3 * ours.median
    if ours.peak_mb is not None:
        assert dense.peak_mb > 8 * ours.peak_mb


def test_retrieval_is_faster_than_sorting_all_similarities():
    """Retrieval is about 20 times as fast on an idle machine."""
    bank = F.normalize(torch.randn(50_000, 64), dim=1)
    query = bank[:100]
    compared = Comparison(
        'retrieval',
        {
            'ours': lambda: nearest_segments(query, bank, 20),
            'sorted': lambda: (query @ bank.t()).argsort(dim=1)[:, -20:],
        },
        'sorted',
        lambda found, expected: '',
    )
    ours, theirs = measure(compared, CPU, repeats=3)
    assert theirs.median > 5 * ours.median


def test_plot(tmp_path):
    ours, theirs = measure(comparison([]), CPU, repeats=1)
    found = entries(comparison([]), [ours, theirs], MACHINE)
    with pytest.raises(ValueError, match='nothing to plot'):
        plot_scaling([found], tmp_path / 'plot.png')
    varied = [
        {**found, 'axis': axis, 'sizes': dict(pixels=size, segments=5)}
        for axis, size in (('pixels', 10), ('pixels', 20), ('', 30))
    ]
    plot_scaling(varied, tmp_path / 'deep' / 'plot.png')
    assert cv2.imread(str(tmp_path / 'deep' / 'plot.png')).std() > 5


def test_tool_as_a_process(tmp_path):
    out = tmp_path / 'crf.json'
    arguments = ['crf', '--small', '--repeats', '1', '--threads', '1', '--out', out]
    command = [sys.executable, '-m', 'benchmarks', *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert '| lattice in PyTorch |' in done.stdout
    content = json.loads(out.read_text())
    assert content['machine']['threads'] == 1
    assert content['comparisons'][0]['variants']['lattice in PyTorch']['ms'] > 0


def test_unknown_part(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['benchmarks', 'nothing'])
    with pytest.raises(SystemExit) as end:
        parse_args()
    assert end.value.code == 2 and 'nothing' in capsys.readouterr().err
