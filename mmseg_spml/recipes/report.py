"""A page about a recipe: scores of each stage's labels and models, time, pictures."""

import json
import platform
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import mmcv
import mmengine
import mmseg
import torch

import mmseg_spml
from mmseg_spml.atomic_file import atomic_file

from .manifest import Manifest
from .stages import Recipe

_PICTURES = ('.png', '.jpg')


def write_report(recipe: Recipe) -> Path:
    """Write ``<work_dir>/report.md`` of what is there.

    Returns:
        Path: The file.
    """
    manifest = Manifest(recipe.work_dir)
    lines = [f'# {recipe.name}', '', '| stage | mIoU | on images of | time |']
    lines += ['|---|---|---|---|']
    by_class: Dict[str, Dict[str, float]] = {}
    for stage in recipe.stages:
        entry = manifest.entries.get(stage.name, {})
        score, classes, images = scores_of(recipe.folder(stage.name))
        if classes:
            by_class[stage.title] = classes
        shown = '' if score is None else f'{score:.1f}'
        seconds = entry.get('seconds')
        time = entry.get('state', 'waiting') if seconds is None else f'{seconds:.0f} s'
        lines.append(f'| {stage.title} | {shown} | {images} | {time} |')
    lines += ['', 'Time of the last attempt.', '', *_class_table(by_class), '']
    for stage in recipe.stages:
        for picture in sorted(recipe.folder(stage.name).glob('*')):
            if picture.suffix in _PICTURES and picture.stem == 'picture':
                path = picture.relative_to(recipe.work_dir).as_posix()
                lines += [f'{stage.title}:', '', f'![{stage.title}]({path})', '']
    lines += ['Commands:', '', '```']
    lines += [
        manifest.entries[stage.name]['command']
        for stage in recipe.stages
        if stage.name in manifest.entries
    ]
    versions = (mmseg_spml, torch, mmengine, mmcv, mmseg)
    named = ', '.join(f'{m.__name__} {m.__version__}' for m in versions)
    lines += ['```', '', f'{named}, Python {platform.python_version()}']
    path = recipe.work_dir / 'report.md'
    with atomic_file(path) as file:
        file.write(('\n'.join(lines) + '\n').encode())
    return path


def scores_of(folder: Path) -> Tuple[Optional[float], Dict[str, float], str]:
    """Last mIoU that a stage left in its folder, IoU of each class, of which images.

    From the report of ``make_seeds.py`` (``report.json``) or MMEngine's logs; (None,
    {}, '') if there is none.
    """
    report = folder / 'report.json'
    if report.is_file():
        content = json.loads(report.read_text(encoding='utf-8'))
        classes = {name: c['IoU'] for name, c in content['classes'].items()}
        return content['mIoU'], classes, 'training'
    lines: List[dict] = []
    for file in sorted(folder.rglob('*.json'), key=lambda f: f.stat().st_mtime):
        for text in file.read_text(encoding='utf-8').splitlines():
            try:
                line = json.loads(text)
            except ValueError:  # no log
                continue
            if isinstance(line, dict):
                lines += [line]
    for line in reversed(lines):
        prefix = next((p for p in ('', 'pseudo_labels/') if f'{p}mIoU' in line), None)
        if prefix is not None:
            start = f'{prefix}IoU/'
            classes = {
                k[len(start) :]: v for k, v in line.items() if k.startswith(start)
            }
            images = 'training' if prefix else 'validation'
            return line[f'{prefix}mIoU'], classes, images
    return None, {}, ''


def _class_table(by_class: Dict[str, Dict[str, float]]) -> List[str]:
    names = list(dict.fromkeys(name for row in by_class.values() for name in row))
    if not names:
        return []
    lines = ['| IoU | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|']
    for title, row in by_class.items():
        cells = [f'{row[n]:.1f}' if row.get(n) is not None else '–' for n in names]
        lines.append(f'| {title} | ' + ' | '.join(cells) + ' |')
    return lines
