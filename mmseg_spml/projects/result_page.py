"""The page of a trained project: curves, scores of classes, pictures."""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

from mmengine.config import Config

from mmseg_spml.engine.shipped_files import read_config_file
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.run_folders import RUN, last_checkpoint
from mmseg_spml.projects.config_file import ANNOTATIONS, CONFIG
from mmseg_spml.projects.rounds import kept_rounds

_TEMPLATE = Path(__file__).with_name('result_page.html')


def write_result_page(folder: Path, path: Path) -> None:
    """Write the page, which refers to no other file.

    Args:
        folder: The folder of the trained project.
        path: The HTML file to write.
    """
    lines = read_scalars(folder / RUN)
    training = [line for line in lines if 'loss' in line]
    scores = [line for line in lines if 'mIoU' in line]
    samples = folder / 'samples' / 'samples.png'
    page = Template(_TEMPLATE.read_text(encoding='utf-8')).substitute(
        title=html.escape(folder.resolve().name),
        curves=_picture(_curves(training, scores)) if training else '',
        scores=_score_table(folder, scores[-1] if scores else None),
        rounds=_round_table(folder),
        samples=_picture(samples.read_bytes()) if samples.is_file() else '',
        folder=html.escape(str(folder)),
        config=html.escape(str(folder / CONFIG)),
        checkpoint=html.escape(last_checkpoint(folder / RUN)),
    )
    with atomic_file(path) as file:
        file.write(page.encode())


def held_out_score(folder: Path) -> str | None:
    """Say in a sentence what a trained project has on its held-out images.

    Args:
        folder: The folder of the trained project.

    Returns:
        None if no image was held out.
    """
    scores = [line for line in read_scalars(folder / RUN) if 'mIoU' in line]
    if not scores:
        return None
    return _sentence(scores[-1], read_config_file(folder / CONFIG))


def _sentence(score: dict, cfg: Config) -> str:
    if 'val_pipeline' in cfg:
        where = (
            'on the labeled pixels of the held-out images, whose shares of classes are '
            'not those of whole images'
        )
    else:
        where = 'on the full masks of the held-out images'
    return f'mIoU {score["mIoU"]:.1f} %, {where}.'


def read_scalars(run: Path) -> list[dict]:
    """Read what MMEngine logged in all sessions of a run, in order."""
    files = sorted(run.glob('*/vis_data/scalars.json'))
    by_step: dict[tuple[bool, int], dict] = {}
    for file in files:
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            # A run that was resumed repeats the steps since its checkpoint.
            by_step['mIoU' in entry, entry.get('step', entry.get('iter', 0))] = entry
    return list(by_step.values())


def _curves(training: Sequence[dict], scores: Sequence[dict]) -> bytes:
    """Draw the losses, and the mIoU if there is one, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout='constrained')
    axes = figure.subplots(1, 2 if scores else 1, squeeze=False)[0]
    steps = [line.get('step', line.get('iter')) for line in training]
    names = sorted({key for line in training for key in line if 'loss' in key})
    for name in names:
        values = [line.get(name) for line in training]
        label = name.removeprefix('decode.')
        axes[0].plot(steps, values, marker='.', label=label)
    axes[0].set(xlabel='iteration', title='losses')
    axes[0].legend(fontsize=7)
    if scores:
        steps = [line.get('step', line.get('iter')) for line in scores]
        axes[1].plot(steps, [line['mIoU'] for line in scores], marker='o')
        axes[1].set(xlabel='iteration', title='mIoU of held-out labels (%)')
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=110)
    return content.getvalue()


def _score_table(folder: Path, last: dict | None) -> str:
    if last is None:
        return (
            '<p>No image was held out, so nothing was measured: look at the pictures, '
            'or test on images with masks by <code>mmseg-spml test</code>.</p>'
        )
    cfg = read_config_file(folder / CONFIG)
    found = {name: last.get(f'IoU/{name}') for name in cfg.classes}
    texts = {n: 'no label' if v is None else f'{v:.1f}' for n, v in found.items()}
    rows = ''.join(
        f'<tr><td>{html.escape(name)}</td><td>{text}</td></tr>'
        for name, text in texts.items()
    )
    return (
        f'<p>{_sentence(last, cfg)}</p>'
        f'<table><tr><th>class</th><th>IoU (%)</th></tr>{rows}</table>'
    )


def _round_table(folder: Path) -> str:
    """Compare the training with those of earlier rounds of labeling, if any."""
    folders = [*kept_rounds(folder), folder]
    if len(folders) == 1:
        return ''
    rows = []
    for number, one in enumerate(folders):
        images = len((one / ANNOTATIONS).read_text(encoding='utf-8').splitlines())
        scores = [s for s in read_scalars(one / RUN) if 'mIoU' in s]
        text = f'{scores[-1]["mIoU"]:.1f}' if scores else 'not measured'
        rows.append(f'<tr><td>{number}</td><td>{images}</td><td>{text}</td></tr>')
    return (
        '<section><h2>Rounds of labeling</h2><table><tr><th>round</th><th>labeled '
        f'images</th><th>mIoU (%)</th></tr>{"".join(rows)}</table></section>'
    )


def _picture(content: bytes) -> str:
    url = 'data:image/png;base64,' + base64.b64encode(content).decode()
    return f'<img src="{url}" alt="">'
