"""The configs of a project, written as a user would write them."""

from collections.abc import Sequence
from pathlib import Path

from mmseg_spml.annotations.formats import json_lines
from mmseg_spml.annotations.voc_classes import voc_palette
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.projects.plan import Plan
from mmseg_spml.projects.survey import BACKGROUND, Survey

CONFIG = 'config.py'
CLASSIFIER = 'classifier.py'
ANNOTATIONS = 'annotations.jsonl'
LISTS = 'lists'
_MODELS = {
    'propagation': 'efficientnet_lite0_propagation',
    'spml': 'efficientnet_lite0_spml',
    'cross_entropy': 'efficientnet_lite0_fcn',
    'dense_crf': 'efficientnet_lite0_fcn',
}
_IMAGENET_MEAN, _IMAGENET_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
# Channels of the outputs of strides 8, 16 and 32.
_CHANNELS = {'lite0': (40, 112, 320), 'lite2': (48, 120, 352)}


def write_config(survey: Survey, plan: Plan, out: Path) -> Path:
    """Write ``config.py``, the lists of images, and what else training reads.

    Args:
        survey: What the annotations are like.
        plan: What to train.
        out: The folder of the project.

    Returns:
        The path of the config.
    """
    train = [*plan.train, *plan.tagged]
    for name, images in (('train', train), ('held_out', plan.held_out)):
        if images:
            _write(out / LISTS / f'{name}.txt', '\n'.join(images) + '\n')
    json_lines.write(survey.annotations, out / ANNOTATIONS)
    _write(out / CONFIG, config_text(survey, plan))
    if plan.supervision == 'tags':
        _write(out / CLASSIFIER, _classifier_text(survey, plan))
    return out / CONFIG


def config_text(survey: Survey, plan: Plan) -> str:
    """Return the text of the config of a project."""
    lines = [
        '# Written by `mmseg-spml init`. It is an ordinary config of MMSegmentation:',
        '# edit it as you like. report.html says why each setting was chosen.',
        '_base_ = [',
        *(
            f"    'mmseg_spml::_base_/{name}.py',"
            for name in (
                f'models/{_MODELS[plan.loss]}',
                'datasets/weak_annotations',
                'schedules/schedule_small',
                'default_runtime',
            )
        ),
        ']',
        f'classes = {_tuple(survey.classes)}',
        'num_classes = len(classes)',
        f'palette = {voc_palette(len(survey.classes))}',
        f'images = {str(survey.images.resolve())!r}',
        '# The folder of this file, so that the project can be moved.',
        'project = "{{ fileDirname }}"',
        f"annotations = f'{{project}}/{ANNOTATIONS}'",
        f"lists = f'{{project}}/{LISTS}'",
        f'max_iters = {plan.max_iters}  # the length, with the lines below',
        f'total_batch_size = {plan.batch}',
        f'crop_size = ({plan.crop}, {plan.crop})',
        *_completeness_of_boxes(survey, plan),
        *_pipelines(survey, plan),
        *_data(survey, plan),
        *_model(plan),
        *_schedule(plan),
    ]
    return '\n'.join(lines) + '\n'


def _completeness_of_boxes(survey: Survey, plan: Plan) -> list[str]:
    if plan.supervision != 'boxes':
        return []
    # Without a background, nothing says what lies outside of the boxes.
    complete = True if BACKGROUND in survey.classes else None
    return [
        '# Whether every object has a box; None: as annotated.',
        f'boxes_complete = {complete}',
    ]


def _pipelines(survey: Survey, plan: Plan) -> list[str]:
    load = _load(plan)
    lines = ['train_pipeline = [', *load, "    dict(type='LoadWeakAnnotations'),"]
    if plan.supervision == 'boxes' and plan.loss == 'propagation':
        lines.append("    dict(type='LoadBoxExtents', boxes_complete=boxes_complete),")
    if plan.loss in ('propagation', 'spml'):
        most = ', most_regions=110' if plan.regions.endswith('ucm') else ''
        order = ", channel_order='rgb'" if plan.bands is not None else ''
        lines += [
            '    dict(',
            "        type='LoadRegions',",
            f'        generate=dict(method={plan.regions!r}{most}),',
            f"        cache_dir=f'{{project}}/regions'{order},",
            '    ),',
        ]
    lines += [
        "    dict(type='WeakRandomFlip', prob=0.5),",
        "    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),",
        "    dict(type='PadToCropSize', size=crop_size),",
        "    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),",
    ]
    if plan.loss == 'cross_entropy':
        lines.append("    dict(type='UnlabeledToVoid'),")
    lines += ["    dict(type='PackWeakSegInputs'),", ']']
    lines += ['test_pipeline = [', *load]
    lines += [
        "    dict(type='LoadAnnotations'),",
        "    dict(type='PackWeakSegInputs'),",
    ]
    lines.append(']')
    if plan.held_out and survey.masks is None:
        lines += ['# IoU is measured on the labeled pixels of the held-out images.']
        lines += ['val_pipeline = [', *load]
        # What a model predicted says nothing about a model.
        lines += [
            '    dict(',
            "        type='LoadWeakAnnotations',",
            '        after_resize=True,',
            '        accepted_weight=0.0,',
            '    ),',
        ]
        lines += ["    dict(type='UnlabeledToVoid'),"]
        lines += ["    dict(type='PackWeakSegInputs'),", ']']
    return lines


def _load(plan: Plan) -> list[str]:
    lines = ["    dict(type='LoadImageFromFile', to_float32=True),"]
    if plan.bands is not None:
        lines = [
            '    dict(',
            "        type='LoadMultiBandImage',",
            '        to_float32=True,',
            f'        bands={tuple(range(plan.bands))},',
            *([f'        fill={plan.mean},'] if plan.has_gaps else []),
            '    ),',
        ]
    if plan.max_side is not None:
        lines.append(f"    dict(type='LimitSize', max_side={plan.max_side}),")
    return lines


def _data(survey: Survey, plan: Plan) -> list[str]:
    lines = [
        'data = dict(',
        "    type='WeakSegDataset',",
        "    list_format='annotations',",
        "    annotation_format='jsonl',",
        '    ann_file=annotations,',
        '    data_prefix=dict(img_path=images),',
        '    metainfo=dict(classes=classes, palette=palette),',
        *(
            ["    undeclared_tags='unknown',  # 'absent': classes without a mark are"]
            if plan.undeclared == 'unknown'
            else []
        ),
        ')',
        'train_dataloader = dict(',
        '    dataset=dict(',
        "        image_list=f'{lists}/train.txt',",
        '        pipeline=train_pipeline,',
    ]
    if plan.supervision != 'pixels':
        lines.append("        label_dir=f'{project}/seeds',  # made before training")
    lines += ['        **data,', '    ),', *_mixing(plan), ')']
    if plan.held_out:
        lines += [
            'val_dataloader = dict(',
            '    _delete_=True,',
            '    batch_size=1,',
            '    num_workers=1,',
            "    sampler=dict(type='DefaultSampler', shuffle=False),",
            '    dataset=dict(',
            *_validated(survey, plan),
            '    ),',
            ')',
            'val_evaluator = dict(',
            "    _delete_=True, type='ClassIoUMetric', iou_metrics=['mIoU']",
            ')',
        ]
    else:
        lines.append('val_cfg = None  # no image is held out')
    if plan.supervision == 'boxes':
        lines.append(_seeds_of_boxes(plan))
    lines += [
        'test_dataloader = dict(',
        "    dataset=dict(image_list=f'{lists}/train.txt', pipeline=test_pipeline, "
        '**data)',
        ')',
    ]
    return lines


def _mixing(plan: Plan) -> list[str]:
    """How images with and without labeled pixels share a batch."""
    if not plan.tagged:
        return []
    return [
        '    # A third of each batch are images with boxes or tags alone.',
        "    sampler=dict(type='DrawSampler', shuffle=True, labeled_share=2 / 3),",
    ]


def _validated(survey: Survey, plan: Plan) -> list[str]:
    """Arguments of the data set of the held-out images."""
    if survey.masks is None:
        return [
            "        image_list=f'{lists}/held_out.txt', pipeline=val_pipeline, **data"
        ]
    return [
        "        type='WeakSegDataset',",
        "        ann_file=f'{lists}/held_out.txt',",
        '        data_prefix=dict(',
        f'            img_path=images, seg_map_path={str(survey.masks.resolve())!r}',
        '        ),',
        "        img_suffix='',",
        '        metainfo=dict(classes=classes, palette=palette),',
        '        test_mode=True,',
        '        pipeline=test_pipeline,',
    ]


def _seeds_of_boxes(plan: Plan) -> str:
    options = "method='grabcut', boxes_complete=boxes_complete"
    if plan.max_side is not None:
        options += f', max_side={plan.max_side}'
    return f'seeds = dict({options})  # of `mmseg-spml seeds`'


def _model(plan: Plan) -> list[str]:
    lines = ['model = dict(']
    if plan.loss == 'dense_crf':
        lines.append("    type='WeakEncoderDecoder',")
    if plan.bands is not None:
        lines.append(f'    data_preprocessor=dict({_statistics(plan, ", ")}),')
    backbone = []
    if plan.variant != 'lite0':
        backbone.append(f'variant={plan.variant!r}')
    if plan.bands is not None:
        backbone.append(f'in_channels={plan.bands}')
    if backbone:
        lines.append(f'    backbone=dict({", ".join(backbone)}),')
    neck = 'num_classes=num_classes'
    if plan.variant != 'lite0':
        neck += f', projection=dict(in_channels={_CHANNELS[plan.variant]})'
    lines += [f'    neck=dict({neck}),', '    decode_head=dict(']
    lines.append('        num_classes=num_classes,')
    if plan.drop_unmarked:
        lines.append('        propagation=dict(drop_unmarked=True),')
    if plan.loss == 'dense_crf':
        lines += [
            '        loss_decode=[',
            "            dict(type='CrossEntropyLoss', avg_non_ignore=True),",
            "            dict(type='DenseCRFLoss', loss_weight=1.0),",
            '        ],',
        ]
    if plan.supervision == 'boxes' and plan.loss == 'propagation':
        lines += [
            '        loss_decode=[',
            '            *_base_.model.decode_head.loss_decode,',
            '            # For tight boxes: leave it out if yours are drawn wide.',
            "            dict(type='BoxTightnessLoss'),",
            '        ],',
        ]
    return [*lines, '    ),', ')']


def _statistics(plan: Plan, between: str) -> str:
    """What the preprocessor normalizes bands by."""
    if plan.bands is None:
        options = (_IMAGENET_MEAN, _IMAGENET_STD, True)
    else:
        options = (plan.mean, plan.std, False)
    names = ('mean', 'std', 'bgr_to_rgb')
    return between.join(f'{name}={value}' for name, value in zip(names, options))


def _schedule(plan: Plan) -> list[str]:
    interval = max(plan.max_iters // 10, 1)
    return [
        f'train_cfg = dict(max_iters=max_iters, val_interval={interval})',
        'param_scheduler = [',
        "    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, "
        'by_epoch=False)',
        ']',
        'default_hooks = dict(',
        f'    checkpoint=dict(interval={interval}),',
        f'    logger=dict(interval={max(interval // 6, 1)}),',
        ')',
        *_hooks(plan),
    ]


def _hooks(plan: Plan) -> list[str]:
    if not plan.tagged:
        return []
    return [
        '# Both kinds of images have batch statistics of their own.',
        "custom_hooks = [*_base_.custom_hooks, dict(type='SplitBatchNormHook')]",
    ]


_CLASSIFIER_TEXT = """# The classifier of the tags: its activation maps become seeds.
_base_ = './{config}'
custom_imports = dict(imports=['mmseg_spml', 'mmseg_spml.models.classifiers'])
custom_hooks = [dict(type='ExactResumeHook')]
model = dict(
    _delete_=True,
    type='TagClassifier',
    data_preprocessor=dict(
        type='SPMLDataPreProcessor',
        {statistics},
    ),
    backbone=dict(type='EfficientNetLite', {backbone}),
    head=dict(
        type='mmpretrain.MultiLabelLinearClsHead',
        num_classes={tags},  # without the background
        in_channels=112,
        loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
    ),
    scales=(1.0, 2.0),
    flip=True,
    top_share=0.2,
)
load = [
{load}
    dict(type='LoadWeakAnnotations'),
]
pack = dict(type='PackWeakSegInputs')
train_dataloader = dict(
    dataset=dict(
        label_dir=None,
        pipeline=[
            *load,
            dict(type='WeakRandomFlip', prob=0.5),
            dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),
            dict(type='PadToCropSize', size=({crop}, {crop})),
            dict(type='RandomCrop', crop_size=({crop}, {crop}), cat_max_ratio=1.0),
            pack,
        ],
    )
)
test_dataloader = dict(dataset=dict(pipeline=[*load, pack]))
# Masks are for the model, not for the classifier.
val_dataloader = val_evaluator = val_cfg = None
# The pixels with the strongest maps get their class, those with the weakest are
# background, by these shares of all pixels. The rest is unlabeled.
seeds = dict(method='tags', foreground=0.2, background=0.6)
"""


def _classifier_text(survey: Survey, plan: Plan) -> str:
    """Return the config of the classifier of tags."""
    backbone = 'out_indices=(3,), bn_momentum=0.01'
    if plan.bands is not None:
        backbone += f', in_channels={plan.bands}'
    return _CLASSIFIER_TEXT.format(
        config=CONFIG,
        statistics=_statistics(plan, ',\n        '),
        backbone=backbone,
        tags=len(survey.classes) - 1,
        crop=plan.crop,
        load='\n'.join(_load(plan)),
    )


def _tuple(names: Sequence[str]) -> str:
    return '(' + ', '.join(map(repr, names)) + ',)'


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())
