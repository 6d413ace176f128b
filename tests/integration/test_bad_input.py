"""Bad input is answered by an error that names the file and what to do.

Each goes through a whole training or test, as a user would meet it.
"""

import cv2
import numpy as np
import pytest
import torch
from integration import tiny
from safetensors.torch import save

FIRST = 'JPEGImages/0.png weak/0.png regions/0.png'


@pytest.fixture
def root(tmp_path):
    """Two images, so that every step meets each of them."""
    return tiny.write_data(tmp_path / 'data', images=2)


def train(root, **options):
    options = dict(train_cfg__max_iters=1, **options)
    tiny.runner(tiny.config(root, root / 'run', **options)).train()


def message(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return str(caught.value)


def names(text, *words):
    """Whether each word is in the text, which ends up in the report if not."""
    missing = [word for word in words if str(word) not in text]
    assert not missing, f'{missing} not in: {text}'
    assert text.count('\n') <= 2, f'too long: {text}'


def rewrite(root, folder, change):
    path = root / folder / '0.png'
    ids = change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    cv2.imwrite(str(path), ids)
    return path


def test_good_input(root):
    train(root)


def test_missing_data_root(root):
    text = message(
        FileNotFoundError, train, root, train_dataloader__dataset__data_root='/nowhere'
    )
    names(text, '/nowhere/lists/train.txt', 'Check', 'data_root')


def test_missing_folder(root):
    (root / 'JPEGImages').rename(root / 'Images')
    text = message(FileNotFoundError, train, root)
    names(text, root / 'JPEGImages' / '0.png', 'Check', 'data_root')


@pytest.mark.parametrize('folder', ['JPEGImages', 'weak', 'regions'])
def test_missing_prefix_folder(root, folder):
    """The layout by folders instead of by a list of triples."""
    prefix = dict(img_path='JPEGImages', seg_map_path='weak', region_map_path='regions')
    key = next(key for key, value in prefix.items() if value == folder)
    prefix[key] = 'nowhere'
    dataset = 'train_dataloader__dataset__'
    options = {f'{dataset}data_prefix': prefix, f'{dataset}ann_file': ''}
    options.update({f'{dataset}list_format': 'stem', f'{dataset}img_suffix': '.png'})
    text = message(FileNotFoundError, train, root, **options)
    names(text, root / 'nowhere', 'Check', key)


@pytest.mark.parametrize('where', [0, 1])
def test_two_columns(root, where):
    path = root / 'lists' / 'train.txt'
    lines = path.read_text().splitlines()
    lines[where] = lines[where].rsplit(' ', 1)[0]
    path.write_text('\n'.join(lines))
    text = message(ValueError, train, root)
    names(text, path, f'line {where + 1}', lines[where], '2 columns', 'third column')


def test_double_space_in_a_line(root):
    path = root / 'lists' / 'train.txt'
    path.write_text(FIRST.replace(' ', '  '))
    text = message(ValueError, train, root)
    names(text, path, 'line 1', 'single spaces')


def test_empty_list(root):
    path = root / 'lists' / 'train.txt'
    path.write_text('\n')
    names(message(ValueError, train, root), path, 'no image')


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('value', [tiny.CLASSES + 1, 254])
def test_label_outside_the_classes(root, value, workers):
    def change(labels):
        labels[5, 5] = value
        return labels

    path = rewrite(root, 'weak', change)
    options = dict(train_dataloader__num_workers=workers)
    with pytest.raises(ValueError) as caught:
        train(root, **options)
    for word in (str(path), str(value), f'0..{tiny.CLASSES - 1}', 'unlabeled_value'):
        assert word in str(caught.value)


def test_values_of_the_release_when_asked_for(root):
    rewrite(root, 'weak', lambda labels: np.where(labels == 4, 200, labels))
    train(root, train_dataloader__dataset__label_range='release')


@pytest.mark.parametrize(
    ('folder', 'what'), [('weak', 'label map'), ('regions', 'region map')]
)
def test_size_mismatch(root, folder, what):
    path = rewrite(root, folder, lambda ids: ids[:-3])
    text = message(ValueError, train, root)
    names(text, what, path, root / 'JPEGImages' / '0.png', '37x48', '40x48', 'Make')


@pytest.mark.parametrize('cut', [0, 20, 100])
@pytest.mark.parametrize(
    ('folder', 'what'), [('weak', 'label map'), ('regions', 'region map')]
)
def test_truncated_map(root, folder, what, cut):
    path = root / folder / '0.png'
    path.write_bytes(path.read_bytes()[:cut])
    text = message(ValueError, train, root)
    names(text, what, path, 'cannot decode', 'again')


@pytest.mark.parametrize('share', [0, 0.01, 0.1, 0.5, 0.99])
def test_truncated_image(root, share):
    """The image's loader is MMCV's."""
    path = root / 'JPEGImages' / '0.png'
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    text = message((ValueError, OSError), train, root)
    names(text, path)


@pytest.mark.parametrize('folder', ['JPEGImages', 'weak', 'regions'])
def test_missing_file(root, folder):
    """Of another sample than the first, which is looked at before the training."""
    path = root / folder / '1.png'
    path.unlink()
    names(message(FileNotFoundError, train, root), path)


def test_colored_label_map(root):
    path = rewrite(root, 'weak', lambda labels: np.stack([labels] * 3, axis=-1))
    text = message(ValueError, train, root)
    names(text, path, '3 channels', 'Convert')


def test_no_region_maps(root):
    text = message(
        ValueError,
        train,
        root,
        train_dataloader__dataset__list_format='stem',
        train_dataloader__dataset__ann_file='',
        train_dataloader__dataset__img_suffix='.png',
        train_dataloader__dataset__data_prefix=dict(
            img_path='JPEGImages', seg_map_path='weak'
        ),
    )
    names(text, root / 'JPEGImages', 'no region map', 'felzenszwalb')


def test_pipeline_without_tags(root):
    """MMSegmentation's own loader instead of the package's."""
    cfg = tiny.config(root, root / 'run', train_cfg__max_iters=1)
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline[1] = dict(type='LoadAnnotations')
    text = message(ValueError, tiny.runner(cfg).train)
    names(text, '.png', 'gt_tags', 'LoadWeakAnnotations')


def retrieval(root, **options):
    cfg = tiny.config(
        root, root / 'run', model__decode_head__predictor='retrieval', **options
    )
    return cfg


def test_empty_bank(root):
    """No pixel of the training images is labeled."""
    for path in (root / 'weak').glob('*.png'):
        cv2.imwrite(str(path), np.full((tiny.HEIGHT, tiny.WIDTH), tiny.CLASSES))
    text = message(ValueError, tiny.runner(retrieval(root)).test)
    names(text, 'bank', '0 prototypes', 'labeled')


def test_no_bank(root):
    cfg = retrieval(root)
    cfg.custom_hooks = []
    text = message(ValueError, tiny.runner(cfg).test)
    names(text, 'bank', 'SegmentBankHook', 'decode_head.retrieval.bank')


def test_missing_bank_file(root):
    cfg = retrieval(root)
    cfg.model.decode_head.retrieval.bank = str(root / 'nowhere.safetensors')
    text = message(FileNotFoundError, tiny.runner(cfg).test)
    names(text, root / 'nowhere.safetensors', 'mmseg-spml bank')


@pytest.mark.parametrize('content', ['empty', 'text', 'truncated', 'other arrays'])
def test_bank_file_is_none(root, content):
    path = root / 'bank.safetensors'
    path.write_bytes(save(dict(other=torch.zeros(2))))
    if content == 'truncated':
        path.write_bytes(path.read_bytes()[:100])
    elif content != 'other arrays':
        path.write_bytes(b'' if content == 'empty' else b'no bank')
    cfg = retrieval(root)
    cfg.model.decode_head.retrieval.bank = str(path)
    text = message(ValueError, tiny.runner(cfg).test)
    names(text, path, 'prototypes')


def test_bank_of_another_model(root):
    """The dimension of the embedding differs."""
    from mmseg_spml.models import SegmentBank

    SegmentBank(torch.eye(5), torch.arange(5) % 4).save(root / 'bank.safetensors')
    cfg = retrieval(root)
    cfg.model.decode_head.retrieval.bank = str(root / 'bank.safetensors')
    text = message(ValueError, tiny.runner(cfg).test)
    names(text, '16', '5')
