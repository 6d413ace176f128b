"""What may import what: the rooms of the package from the ground up."""

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mmseg_spml'
# A room imports from itself and from those before it.
ROOMS = (
    'version',
    'dependencies',
    'registration',
    'registry',
    'io',
    'functional',
    'annotations',
    'datasets',
    'models',
    'visualization',
    'evaluation',
    'engine',
    'inference',
    'recipes',
    'projects',
    'cli',
    '__main__',
)
# Takes the place of packages that are not installed.
HIDE = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in HIDDEN:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

HIDDEN = %r
sys.meta_path.insert(0, Hide())
"""
OPENMMLAB = ('mmengine', 'mmcv', 'mmseg', 'mmpretrain', 'mmdet')


def imports(path):
    """Full names of the modules that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            yield node.module
            if node.module == 'mmseg_spml':
                yield from (f'mmseg_spml.{alias.name}' for alias in node.names)


def files(room='.'):
    found = sorted((PACKAGE / room).rglob('*.py'))
    assert found
    return found


@pytest.mark.parametrize('room', ['functional', 'annotations', 'io'])
def test_rooms_without_openmmlab(room):
    for path in files(room):
        foreign = {name.split('.')[0] for name in imports(path)} & set(OPENMMLAB)
        assert not foreign, path


def test_the_package_imports_no_experiment_and_no_benchmark():
    for path in files():
        for name in imports(path):
            assert name.split('.')[0] not in ('experiments', 'benchmarks'), path


def test_no_import_goes_upwards():
    assert {p.stem for p in PACKAGE.iterdir() if p.suffix in ('', '.py')} - {
        '__init__',
        '__pycache__',
        'py',
        '.mim',
    } == set(ROOMS)
    for path in files():
        parts = path.relative_to(PACKAGE).with_suffix('').parts
        if parts == ('__init__',):
            continue
        own = ROOMS.index(parts[0])
        for name in imports(path):
            if not name.startswith('mmseg_spml.'):
                continue
            other = ROOMS.index(name.split('.')[1])
            assert other <= own, f'{path} imports {name}'


def run(script):
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_functional_stands_alone():
    """On a machine without OpenMMLab, in three lines, without a word."""
    script = """
    import torch
    from mmseg_spml.functional import semantic_annotation_loss, image_similarity_loss
    embedding = torch.randn(2, 8, 16, 16, requires_grad=True)
    labels = torch.randint(0, 3, (2, 64, 64))
    regions = torch.randint(0, 9, (2, 64, 64))
    loss = semantic_annotation_loss(embedding, labels, num_classes=2)
    loss = loss + 0.5 * image_similarity_loss(embedding, labels, regions, num_classes=2)
    loss.backward()
    assert loss > 0 and embedding.grad.abs().sum() > 0

    import mmseg_spml, mmseg_spml.functional as functional
    for name in functional.__all__:
        getattr(functional, name)
    import mmseg_spml.annotations.formats
    assert 'mmseg_spml.models' not in sys.modules
    """
    output, errors = run(HIDE % (OPENMMLAB,) + textwrap.dedent(script))
    assert output == errors == ''


def test_losses_need_torch_and_numpy_alone():
    hidden = (*OPENMMLAB, 'scipy', 'skimage', 'cv2', 'PIL', 'matplotlib')
    script = """
    import torch
    from mmseg_spml.functional import pool_segments, semantic_annotation_loss
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[:, 4:] = 1
    print(semantic_annotation_loss(torch.randn(1, 4, 8, 8), labels, num_classes=2) > 0)
    """
    output, _ = run(HIDE % (hidden,) + textwrap.dedent(script))
    assert output == 'tensor(True)\n'


def test_annotations_need_no_torch():
    script = """
    from mmseg_spml.annotations.formats import FORMATS, read_annotations
    from mmseg_spml.annotations.label_map import label_map
    from mmseg_spml.annotations.simulation.annotator import Annotator
    print(len(FORMATS))
    """
    output, _ = run(HIDE % ((*OPENMMLAB, 'torch'),) + textwrap.dedent(script))
    assert int(output) == 21


def test_a_project_is_planned_without_mmsegmentation(tmp_path):
    """Importing it takes seconds, and prints what says nothing to a user."""
    clicks = [dict(label='cat', at=[3, 4]), dict(label='dog', at=[30, 40])]
    lines = []
    (tmp_path / 'images').mkdir()
    for name in ('a.png', 'b.png'):
        cv2.imwrite(str(tmp_path / 'images' / name), np.full((64, 64, 3), 90, np.uint8))
        lines.append(json.dumps(dict(image=name, size=[64, 64], points=clicks)))
    (tmp_path / 'points.jsonl').write_text('\n'.join(lines))
    words = ['mmseg-spml', 'init', 'points.jsonl', 'mine', '--images', 'images']
    script = f"""
    import os
    os.chdir({str(tmp_path)!r})
    sys.argv = {words}
    from mmseg_spml.cli.main import main
    main()
    """
    output, _ = run(HIDE % (OPENMMLAB,) + textwrap.dedent(script))
    assert 'mmseg-spml train mine' in output
    assert (tmp_path / 'mine' / 'config.py').is_file()


def test_every_public_name_is_documented_with_an_example():
    import mmseg_spml.functional as functional

    without = set()
    for name in functional.__all__:
        value = getattr(functional, name)
        if callable(value) and '>>> ' not in (value.__doc__ or ''):
            without.add(name)
    # They need a file, weights or a scene; the latter two are their module's example.
    assert without <= {'load_hed', 'save_cam', 'find_cam'}, without
