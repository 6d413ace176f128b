"""Report on a recipe: scores of the labels and models of each stage, time, pictures."""

import json
import platform
import re
import shutil
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import mmcv
import mmengine
import mmseg
import numpy as np
import torch
from markdown_it import MarkdownIt

import mmseg_spml
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.images import write_image
from mmseg_spml.recipes.manifest import Manifest
from mmseg_spml.recipes.stages import Recipe, Stage
from mmseg_spml.visualization.confusion import draw_confusion

# What Markdown would take for a mark; underscores within words are none.
_SPECIAL = re.compile(r'[\\`*\[\]<>|&]|(?<!\w)_|_(?!\w)')
_PICTURES = ('.png', '.jpg')
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font-family: sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }}
table {{ border-collapse: collapse; display: block; overflow-x: auto }}
td, th {{ border: 1px solid #ccc; padding: .2em .6em; text-align: left }}
img {{ max-width: 100% }}
pre {{ background: #f4f4f4; overflow-x: auto; padding: 1em }}
</style></head><body>
{body}</body></html>
"""


@dataclass(frozen=True)
class StageScores:
    """Scores of the labels or predictions that a stage made.

    Attributes:
        mean_iou: mIoU in percent; None if the stage left no score.
        images: The kind of images that were scored, 'training' or 'held out'.
        by_class: IoU of each class; None for a class that never occurs.
        confusion: (C, C+1) confusion matrix in pixels, if the stage left one.
        before_crf: mIoU of pseudo labels without the dense CRF.
    """

    mean_iou: float | None = None
    images: str = ''
    by_class: dict[str, float | None] = field(default_factory=dict)
    confusion: np.ndarray | None = None
    before_crf: float | None = None


def write_report(recipe: Recipe) -> Path:
    """Write ``<work_dir>/report.md`` and ``report.html`` of the stages that have run.

    Returns:
        The path of ``report.html``.
    """
    manifest = Manifest(recipe.work_dir)
    scores = {s.name: scores_of(recipe.folder(s.name)) for s in recipe.stages}
    drawings = recipe.work_dir / 'report'
    shutil.rmtree(drawings, ignore_errors=True)
    drawings.mkdir(parents=True)
    lines = [f'# {_plain(recipe.name)}', '', *_stage_table(recipe, manifest, scores)]
    lines += ['', *_class_table(recipe, scores)]
    for stage in recipe.stages:
        pictures = _pictures(recipe.folder(stage.name))
        confusion = scores[stage.name].confusion
        if confusion is not None:
            drawing = drawings / f'{stage.name}_confusion.png'
            classes = [*scores[stage.name].by_class]
            write_image(drawing, draw_confusion(confusion, classes))
            pictures.append(drawing)
        if pictures:
            lines += [f'## {_plain(stage.title)}', '']
        for picture in pictures:
            path = picture.relative_to(recipe.work_dir).as_posix()
            lines += [f'![{_plain(stage.title)}]({path})', '']
    lines += ['## Commands', '', *_commands(recipe, manifest)]
    versions = (mmseg_spml, torch, mmengine, mmcv, mmseg)
    named = ', '.join(f'{m.__name__} {m.__version__}' for m in versions)
    lines += ['', f'{named}, Python {platform.python_version()}']
    text = '\n'.join(lines) + '\n'
    body = MarkdownIt('commonmark', {'html': False}).enable('table').render(text)
    page = _PAGE.format(title=escape(recipe.name), body=body)
    for name, content in (('report.md', text), ('report.html', page)):
        with atomic_file(recipe.work_dir / name) as file:
            file.write(content.encode())
    return recipe.work_dir / 'report.html'


def scores_of(folder: Path) -> StageScores:
    """Read the scores that a stage left in its folder.

    The scores are those of the file of ``write_label_report`` or, if there is none, of
    the last line with an mIoU in MMEngine's logs.
    """
    for report in (folder / 'report.json', folder / 'logs' / 'report.json'):
        if report.is_file():
            return _scores_of_report(json.loads(report.read_text(encoding='utf-8')))
    for line in reversed(_log_lines(folder)):
        if 'mIoU' in line:
            start = 'IoU/'
            classes = {
                key[len(start) :]: value
                for key, value in line.items()
                if key.startswith(start)
            }
            return StageScores(line['mIoU'], 'held out', classes)
    return StageScores()


def _scores_of_report(content: dict) -> StageScores:
    return StageScores(
        content['mIoU'],
        content['of'],
        {name: scores['IoU'] for name, scores in content['classes'].items()},
        np.array(content['confusion']),
        content.get('mIoU_before_crf'),
    )


def _log_lines(folder: Path) -> list[dict]:
    lines: list[dict] = []
    for file in sorted(folder.rglob('*.json'), key=lambda f: f.stat().st_mtime):
        for text in file.read_text(encoding='utf-8').splitlines():
            try:
                line = json.loads(text)
            except ValueError:  # the line is not from a log
                continue
            if isinstance(line, dict):
                lines.append(line)
    return lines


def _stage_table(
    recipe: Recipe, manifest: Manifest, scores: dict[str, StageScores]
) -> list[str]:
    lines = ['| stage | mIoU | images | time |', '|---|---|---|---|']
    for stage in recipe.stages:
        entry = manifest.entries.get(stage.name, {})
        seconds = entry.get('seconds')
        time = entry.get('state', 'waiting') if seconds is None else f'{seconds:.0f} s'
        score = scores[stage.name]
        if score.before_crf is not None:
            before = f'{score.before_crf:.1f}'
            lines.append(
                f'| {_plain(stage.title)}, before the CRF | {before} | '
                f'{score.images} | |'
            )
        shown = '' if score.mean_iou is None else f'{score.mean_iou:.1f}'
        title = _plain(stage.title)
        lines.append(f'| {title} | {shown} | {score.images} | {time} |')
    return [*lines, '', 'Time of the last attempt.']


def _class_table(recipe: Recipe, scores: dict[str, StageScores]) -> list[str]:
    by_class = {s.title: scores[s.name].by_class for s in recipe.stages}
    rows = {title: row for title, row in by_class.items() if row}
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    if not names:
        return []
    head = ' | '.join(map(_plain, names))
    lines = [f'| IoU | {head} |', '|---' * (len(names) + 1) + '|']
    for title, row in rows.items():
        cells = [f'{row[n]:.1f}' if row.get(n) is not None else '–' for n in names]
        lines.append(f'| {_plain(title)} | ' + ' | '.join(cells) + ' |')
    return [*lines, '']


def _plain(name: str) -> str:
    """Write a name so that Markdown shows it as it is, in tables and elsewhere."""
    return _SPECIAL.sub(r'\\\g<0>', ' '.join(name.split()))


def _pictures(folder: Path) -> list[Path]:
    found = [path for place in (folder, folder / 'logs') for path in place.glob('*')]
    return sorted(p for p in found if p.stem == 'picture' and p.suffix in _PICTURES)


def _commands(recipe: Recipe, manifest: Manifest) -> list[str]:
    known = [s for s in recipe.stages if s.name in manifest.entries]
    lines = ['```', *(manifest.entries[s.name]['command'] for s in known), '```', '']
    return [*lines, *(line for s in known for line in _configs(recipe, s))]


def _configs(recipe: Recipe, stage: Stage) -> list[str]:
    """Link the complete config of a run that MMEngine's runner wrote."""
    files = sorted(recipe.folder(stage.name).rglob('*.py'), key=lambda f: f.parts)
    paths = [file.relative_to(recipe.work_dir).as_posix() for file in files]
    title = _plain(stage.title)
    return [f'* config of {title}: [{path}]({path})' for path in paths[-1:]]
