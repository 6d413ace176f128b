"""Heads and networks against values produced by the authors' release.

A head file holds the last step of a short run: inputs, the memory before it, segments,
losses and gradients. Losses and gradients come through :class:`SPMLHead` itself; the
two devices of ``head_segsort_two_devices`` are threads that really gather.
"""

import fnmatch
import json
import zlib

import goldens
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from goldens import Golden
from mmseg.models.backbones.resnet import Bottleneck, ResNet
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from models.ranks_in_threads import Ranks
from models.small_segmentor import sample

from mmseg_spml.engine.optimizers.constructor import SPMLOptimWrapperConstructor
from mmseg_spml.functional.segments.kmeans import location_features
from mmseg_spml.functional.segments.pooling import mean_direction, pool_segments
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models.decode_heads.segment_gather import SegmentGather

SINGLE = (
    'head_segsort_scribble',
    'head_segsort_tag_bgonly',
    'head_softmax_eval',
    'head_softmax_trainbn',
    'head_densepose_feat_aff',
)
NETWORKS = ('network_deeplab', 'network_deeplab_2222', 'network_pspnet')
LOSSES = ('sem_ann', 'sem_occ', 'img_sim')

# Arrays that no test here reads, and why.
ACCURACY = 'the logged top-k accuracy has no part in the method'
NO_INPUTS = 'the inputs of the first step are not stored'
LEFT_OUT = {
    **{name: {'h_accuracy_*': ACCURACY, 'h_first_*': NO_INPUTS} for name in SINGLE},
    'head_segsort_two_devices': {'h_accuracy_*': ACCURACY, 'h_first_*': NO_INPUTS},
    **{name: {} for name in NETWORKS},
    'gather': {},
}
for _complete in ('head_segsort_scribble', 'head_densepose_feat_aff'):
    del LEFT_OUT[_complete]['h_first_*']


def relative(value, target):
    value, target = np.asarray(value, np.float64), np.asarray(target, np.float64)
    assert value.shape == target.shape
    return np.linalg.norm(value - target) / max(np.linalg.norm(target), 1e-30)


def close(value, target, tolerance=1e-6):
    value, target = np.asarray(value, np.float64), np.asarray(target, np.float64)
    assert value.shape == target.shape
    assert np.abs(value - target).max(initial=0) <= tolerance


def same(value, target):
    assert np.array_equal(np.asarray(value), np.asarray(target))


def deterministic(name, shape):
    """Value of a tensor by its name in the release."""
    generator = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    x = generator.standard_normal(shape)
    if name.endswith('running_mean'):
        x = 0.1 * x
    elif name.endswith('running_var'):
        x = 1 + 0.1 * np.abs(x)
    elif name.endswith('.bias'):
        x = 0.05 * x
    elif len(shape) == 1:
        x = 1 + 0.1 * x
    else:
        x = x * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(x, np.float32))


# --------------------------------------------------------------------- heads


class HeadCase:
    """One head file and the head it describes."""

    def __init__(self, name, dtype):
        self.golden = golden = Golden(name)
        self.config = config = json.loads(str(golden['h_config']))
        self.dtype = dtype
        self.dense = 'densepose' in name
        self.classes = config['num_classes']
        self.images = config['images_per_device']
        self.devices = config['devices']
        self.classifies = any('semantic_classifier' in key for key in golden.names)
        assert config['semantic_ignore_index'] == 255
        assert config['train']['feat_aff_loss_types'] == 'none'

    def head(self):
        train = self.config['train']

        def relation(name, kind, **options):
            return dict(
                type=kind,
                concentration=train[f'{name}_concentration'],
                loss_weight=train[f'{name}_loss_weight'],
                loss_name=f'loss_{name}',
                **options,
            )

        second = ('FeatureAffinityLoss', {})
        if not self.dense:
            options = dict(tagless='exact', watch_steps=0, ignore_tags=(0,))
            second = ('SemanticCooccurrenceLoss', options)
        features = 'plain' if self.dense else 'located'
        channels = self.golden.tensor(self._input('emb')).shape[1]
        register_all_modules(init_default_scope=True)
        head = MODELS.build(
            dict(
                type='SPMLHead',
                embedding_dim=channels,
                num_classes=self.classes,
                norm_cfg=dict(type='BN'),
                dropout_ratio=0.0,
                relations=[
                    relation('sem_ann', 'SemanticAnnotationLoss'),
                    relation('sem_occ', second[0], **second[1]),
                    relation('img_sim', 'ImageSimilarityLoss', features=features),
                ],
                memory=dict(
                    type='SegmentMemory', steps=self.config['memory_bank_size']
                ),
            )
        )
        for name, tensor in head.classifier.state_dict().items():
            if not name.endswith('num_batches_tracked'):
                value = deterministic(f'semantic_classifier.{name}', tensor.shape)
                tensor.copy_(value)
        head.to(self.dtype).train()
        if self.config['classifier_mode'] == 'eval':
            head.classifier.eval()
        return head

    def _input(self, name, device=0, step=None):
        step = (2 if self.config['memory_bank_size'] else 0) if step is None else step
        return f'h_t{step}_dev{device}_{name}'

    def inputs(self, device=0, step=None):
        """Embedding and segments of one device."""
        get = lambda name: self.golden.tensor(self._input(name, device, step))  # noqa: E731
        embedding = get('emb').to(self.dtype).requires_grad_()
        labels, regions = get('semantic'), get('instance')
        local = get('local_feature').to(self.dtype) if self.dense else None
        segments = pool_segments(
            embedding,
            labels,
            regions,
            get('tag')[:, : self.classes].bool(),
            grid=tuple(self.config['num_clusters']),
            iterations=self.config['kmeans_iterations'],
            local_features=local,
            num_classes=self.classes,
            affinity_threshold=0.95 if self.dense else None,
            affinity_squeeze=0.1,
        )
        return embedding, labels, segments

    def losses(self, head, embedding, labels, segments):
        """The three losses under the release's names."""
        # the label maps of the classifier: four times the size of the stored ones
        labels = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)
        samples = [sample(one) for one in labels]
        losses = head.loss([embedding], samples, None, segments)
        assert set(losses) == {'loss_ce', 'acc_seg', *(f'loss_{n}' for n in LOSSES)}
        out = {name: losses[f'loss_{name}'] for name in LOSSES}
        if self.classifies:  # the release adds it to the annotation term
            out['sem_ann'] = out['sem_ann'] + losses['loss_ce']
        return out

    def memory(self, device_width, local_width):
        """Kept segments of the two earlier steps, as the release numbered them."""
        for step in range(self.config['memory_bank_size']):
            get = lambda n: self.golden.tensor(f'h_memory_prototype{n}_{step}')  # noqa: B023, E731
            none = torch.zeros(0, dtype=torch.int64)
            total = self.images * self.devices
            # The release raises the numbers of kept images by those of each step.
            image = get('_batch_index') % total
            tags = torch.zeros(total, self.classes, dtype=torch.int8)
            tags[image] = get('_semantic_tag')[:, : self.classes].to(torch.int8)
            yield Segments(
                pixels=torch.zeros(0, device_width, dtype=self.dtype),
                pixels_loc=torch.zeros(0, local_width, dtype=self.dtype),
                pixel_label=none,
                pixel_segment=none,
                pixel_image=none,
                prototypes=get('').to(self.dtype),
                prototypes_loc=get('_with_loc').to(self.dtype),
                label=get('_semantic_label'),
                region=get('_instance_label'),
                image=image,
                image_tags=tags,
            )

    def fill_memory(self, head):
        for kept in self.memory(*self._widths()):
            head.memory.append(kept)

    def _widths(self):
        width = self.golden.tensor(self._input('emb')).shape[1]
        return width, width + (5 if self.dense else 2)

    def check_memory_before(self, head):
        for kept, stored in zip(head.memory._kept, self.memory(*self._widths())):
            for name in ('image', 'label', 'region', 'tags'):
                same(getattr(kept, name), getattr(stored, name))
            close(kept.prototypes, stored.prototypes)

    def check_memory_after(self, head):
        """The oldest step left, this one came."""
        total = self.images * self.devices
        for number, kept in enumerate(head.memory._kept):
            after = self.golden[f'h_after_memory_prototype_batch_index_{number}']
            same(kept.image, after % total)
        assert len(head.memory._kept) == self.config['memory_bank_size']
        if len(head.memory._kept):
            close(head.memory._kept[-1].prototypes, self.golden['h_prototype'])

    def check_losses(self, losses, prefix='h_', device=0):
        for name in LOSSES:
            value = losses[name].item()
            for key, tolerance in (('64', 1e-5), ('32', 1e-4)):
                target = self.golden[f'{prefix}{name}_loss_{key}'][device]
                assert abs(value - target) <= tolerance * max(1, abs(target)), name

    def check_gradient(self, grad, name, device=0):
        for key in ('32', '64'):
            stored = f'h_grad_{name}_dev{device}_{key}'
            if stored in self.golden:
                assert relative(grad, self.golden[stored]) <= 1e-4, stored

    def check_pixels(self, segments, device=0):
        get = lambda name: self.golden[f'h_dev{device}_cluster_{name}']  # noqa: E731
        same(segments.pixel_label, get('semantic_label'))
        own = segments.pixel_segment
        same(segments.region[own], get('instance_label'))
        same(segments.pixel_image, get('batch_index'))
        same(own, get('index'))

    def check_segments(self, segments):
        get = lambda name: self.golden[f'h_prototype{name}']  # noqa: E731
        close(segments.prototypes.detach(), get(''))
        same(segments.label, get('_semantic_label'))
        same(segments.region, get('_instance_label'))
        same(segments.image, get('_batch_index'))
        # The release gathers these, too, though no relation compares them.
        if self.devices == 1 and not self.dense:
            close(segments.prototypes_loc.detach(), get('_with_loc'))

    def check_squeezed(self, segments, labels):
        """Body parts: the stored location vectors are the squeezed ones."""
        local = self.golden.tensor(self._input('local_feature')).to(self.dtype)
        kept = local[labels != 255]
        squeezed = torch.cat([0.1 * segments.pixels.detach(), kept], dim=1)
        squeezed = F.normalize(squeezed, dim=1, eps=1e-12)
        close(squeezed, self.golden['h_dev0_cluster_embedding_with_loc'])
        means = mean_direction(squeezed, segments.pixel_segment, len(segments))
        close(means, self.golden['h_prototype_with_loc'])


@pytest.mark.parametrize('name', SINGLE)
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_head(name, dtype):
    case = HeadCase(name, dtype)
    head = case.head()
    if name == 'head_segsort_scribble':  # all three steps are stored: play them
        for step in range(2):
            losses = case.losses(head, *case.inputs(step=step))
            if step == 0:
                case.check_losses(losses, 'h_first_')
        case.check_memory_before(head)
    else:
        case.fill_memory(head)
        case.check_memory_before(head)
    embedding, labels, segments = case.inputs()
    case.check_pixels(segments)
    case.check_segments(segments)
    if case.dense:
        case.check_squeezed(segments, labels)
    elif 'h_dev0_cluster_embedding_with_loc' in case.golden:
        loc = case.golden['h_dev0_cluster_embedding_with_loc']
        close(segments.pixels_loc.detach(), loc)

    losses = case.losses(head, embedding, labels, segments)
    case.check_losses(losses)
    if not case.config['memory_bank_size']:
        case.check_losses(losses, 'h_first_')
    total = sum(losses.values())
    for key, tolerance in (('64', 1e-5), ('32', 1e-4)):
        target = case.golden[f'h_total_{key}']
        assert abs(total.item() - target) <= tolerance * max(1, target)
    for loss in LOSSES:
        (grad,) = torch.autograd.grad(losses[loss], embedding, retain_graph=True)
        case.check_gradient(grad, f'{loss}_loss')
    total.backward()
    case.check_gradient(embedding.grad, 'total')
    if case.classifies:
        for parameter, value in head.classifier.named_parameters():
            key = f'h_gradparam_semantic_classifier.{parameter}_64'
            assert relative(value.grad, case.golden[key]) <= 1e-4, key
    case.check_memory_after(head)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_head_on_two_devices(dtype, monkeypatch):
    """Total and gradients are means over the devices, as under DDP."""
    case = HeadCase('head_segsort_two_devices', dtype)
    devices = range(case.devices)
    inputs = [case.inputs(device) for device in devices]
    heads = [case.head() for _ in devices]
    for head in heads:
        case.fill_memory(head)
        case.check_memory_before(head)
    ranks = Ranks(case.devices, monkeypatch)

    def step(rank):
        embedding, labels, segments = inputs[rank]
        losses = case.losses(heads[rank], embedding, labels, segments)
        sum(losses.values()).backward()
        return losses

    results = ranks.run(step)
    total = sum(sum(losses.values()).item() for losses in results) / case.devices
    for key, tolerance in (('64', 1e-5), ('32', 1e-4)):
        target = case.golden[f'h_total_{key}']
        assert abs(total - target) <= tolerance * max(1, target)
    for device in devices:
        case.check_losses(results[device], device=device)
        grad = inputs[device][0].grad / case.devices
        case.check_gradient(grad, 'total', device)
        case.check_memory_after(heads[device])

    joined = ranks.run(lambda rank: SegmentGather(inputs[rank][2]).wait())
    for device in devices:
        segments = joined[device]
        assert segments.num_images == case.images * case.devices
        case.check_pixels(segments, device)
        case.check_segments(segments)


# -------------------------------------------------------------------- gather


def _given_segments(golden, device, dtype):
    """Segments of a device of the file, numbered in the device's own images."""
    get = lambda name: golden.tensor(f'in_dev{device}_{name}')  # noqa: E731
    own, pixels, loc = get('cluster'), get('emb').to(dtype), get('emb_loc').to(dtype)
    count = int(own.max()) + 1
    image = get('batch') - 2 * device
    first = torch.full((count,), len(own)).scatter_reduce(
        0, own, torch.arange(len(own)), 'amin'
    )
    return Segments(
        pixels=pixels,
        pixels_loc=loc,
        pixel_label=get('semantic'),
        pixel_segment=own,
        pixel_image=image,
        prototypes=mean_direction(pixels, own, count),
        prototypes_loc=mean_direction(loc, own, count),
        label=get('semantic')[first],
        region=get('instance')[first],
        image=image[first],
        image_tags=torch.zeros(2, 21, dtype=torch.int8),
    )


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('devices', [1, 2])
def test_gather(devices, dtype, monkeypatch):
    golden = Golden('gather')
    parts = [_given_segments(golden, device, dtype) for device in range(devices)]
    ranks = Ranks(devices, monkeypatch)
    results = ranks.run(lambda rank: SegmentGather(parts[rank]).wait())
    name = ('one', 'two')[devices - 1]
    for rank, joined in enumerate(results):
        assert joined.num_images == 2 * devices
        same(joined.pixel_segment, golden[f'{name}_dev{rank}_cluster_updated'])
        same(joined.pixel_image, golden[f'in_dev{rank}_batch'])
        close(joined.prototypes, golden[f'{name}_prototypes'])
        close(joined.prototypes, golden[f'{name}_prototypes64'])
        if devices == 1:
            close(joined.prototypes_loc, golden[f'{name}_prototypes_loc'])
        same(joined.label, golden[f'{name}_proto_semantic'])
        same(joined.region, golden[f'{name}_proto_instance'])
        same(joined.image, golden[f'{name}_proto_batch'])
    assert ranks.collectives == ([0] if devices == 1 else [2, 2])


# ------------------------------------------------------------------ networks


def renamed(name):
    """Name of a tensor of the release's network in the segmentor."""
    for old, new in (
        ('resnet_backbone.conv1.conv1.', 'backbone.stem.'),
        ('resnet_backbone.conv1.bn1.', 'backbone.stem.7.'),
        *((f'resnet_backbone.res{n + 1}.', f'backbone.layer{n}.') for n in range(1, 5)),
        *(
            (f'aspp.aspp_{n}.0.', f'neck.projection.branches.{n - 1}.')
            for n in range(1, 5)
        ),
        *(
            (f'pspp.0.pspp_{n}.{old}.', f'neck.projection.pyramid.{n - 1}.1.{new}.')
            for n in range(1, 5)
            for old, new in ((1, 'conv'), (2, 'bn'))
        ),
        ('pspp.0.conv.0.', 'neck.projection.bottleneck.conv.'),
        ('pspp.0.conv.1.', 'neck.projection.bottleneck.bn.'),
        ('pspp.1.', 'neck.projection.project.'),
    ):
        if name.startswith(old):
            return new + name[len(old) :]
    raise AssertionError(f'no new name for {name}')


def build_network(golden, monkeypatch):
    arch = json.loads(str(golden['arch']))
    # a depth that MMSegmentation does not have, of the blocks that the file has
    shallow = (Bottleneck, tuple(arch['blocks']))
    monkeypatch.setitem(ResNet.arch_settings, -1, shallow)
    projection = dict(
        type='ASPPEmbedding' if arch['kind'] == 'ResnetDeeplab' else 'PSPEmbedding',
        in_channels=2048,
        embedding_dim=arch['embedding_dim'],
    )
    norm = dict(type='BN', momentum=3e-4)
    if projection['type'] == 'PSPEmbedding':
        projection.update(norm_cfg=dict(type='BN'))
    register_all_modules(init_default_scope=True)
    return MODELS.build(
        dict(
            type='SPMLSegmentor',
            backbone=dict(
                type='ResNetV1c',
                depth=-1,
                stem_channels=128,
                strides=tuple(arch['strides']),
                dilations=tuple(arch['dilations']),
                contract_dilation=True,
                norm_cfg=norm,
                norm_eval=False,
            ),
            neck=dict(
                type='SegmentPoolingNeck',
                projection=projection,
                upsample=2,
                num_classes=21,
            ),
            decode_head=dict(
                type='SPMLHead',
                embedding_dim=arch['embedding_dim'],
                num_classes=21,
                norm_cfg=dict(type='BN'),
            ),
            frozen_modules=('backbone.stem', 'backbone.layer1'),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
    )


def fill(model, golden):
    """Load the deterministic weights by their new names; every tensor is met."""
    state = model.state_dict()
    mine = {name for name in state if not name.startswith('decode_head.')}
    sums = json.loads(str(golden['state_checksums']))
    for name, shape in json.loads(str(golden['state_dict'])).items():
        target = state[renamed(name)]
        assert list(target.shape) == shape, name
        mine.remove(renamed(name))
        if not name.endswith('num_batches_tracked'):
            value = deterministic(name, tuple(shape))
            wide = value.double()
            assert [wide.sum().item(), wide.abs().sum().item()] == pytest.approx(
                sums[name], rel=1e-9, abs=1e-9
            )
            target.copy_(value)
    assert not mine, f'tensors without a counterpart: {sorted(mine)}'


@pytest.mark.parametrize('name', NETWORKS)
def test_network(name, monkeypatch):
    golden = Golden(name)
    model = build_network(golden, monkeypatch).eval()
    fill(model, golden)
    for case in range(2):
        inputs = golden.tensor(f'in{case}')
        with torch.no_grad():
            stages = model.backbone(inputs)
            (embedding,) = model.neck(stages)
            same(model.extract_feat(inputs)[0], embedding)
        for number, stage in enumerate(stages, start=2):
            mean = golden[f'res{number}_mean{case}']
            assert relative(stage.mean(1), mean) <= 1e-5
        assert relative(stages[-1][:, ::64], golden[f'res5_{case}']) <= 1e-5
        assert relative(embedding, golden[f'out{case}']) <= 1e-5
        assert relative(embedding, golden[f'out{case}_64']) <= 1e-5
        place = location_features(tuple(embedding.shape[2:]))
        for stored in golden[f'loc{case}']:
            close(place, stored)
        resized = F.interpolate(
            embedding, size=inputs.shape[2:], mode='bilinear', align_corners=False
        )
        if case == 0:
            stored = golden['out0_resize_as_input_mean']
            assert relative(resized.mean(1), stored) <= 1e-5
        # retrieval's embedding is this one with unit vectors
        with torch.no_grad():
            unit = model.embed(inputs)
        close(unit, F.normalize(resized, dim=1))


@pytest.mark.parametrize('name', NETWORKS)
def test_parameter_groups(name, monkeypatch):
    golden = Golden(name)
    model = build_network(golden, monkeypatch)
    constructor = SPMLOptimWrapperConstructor(
        dict(
            type='OptimWrapper',
            optimizer=dict(type='LRMomentumSGD', lr=3e-3, weight_decay=5e-4),
        ),
        dict(head_lr_mult=10, bias_lr_mult=2),
    )
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = constructor(model).optimizer.param_groups
    settings = {
        names[parameter]: (group['lr'] / 3e-3, group['weight_decay'])
        for group in groups
        for parameter in group['params']
    }
    assert len(settings) == sum(len(group['params']) for group in groups)
    for group in json.loads(str(golden['param_groups'])):
        decay = 5e-4 if group['weight_decay'] == 'default' else group['weight_decay']
        for tensor in group['names']:
            rate, own_decay = settings.pop(renamed(tensor))
            assert rate == pytest.approx(group['lr_mult'])
            assert own_decay == decay
    # what is left is the classifier, whose groups the release builds elsewhere
    for tensor, (rate, decay) in settings.items():
        assert tensor.startswith('decode_head.classifier.')
        bias = tensor.endswith('bias')
        assert rate == pytest.approx(20 if bias else 10)
        assert decay == (0 if bias else 5e-4)
    assert len(settings) == 5
    held = {name for p, name in names.items() if not p.requires_grad}
    assert {name.split('.')[1] for name in held} == {'stem', 'layer1'}


# -------------------------------------------------------------- completeness


def test_every_array_is_used_or_left_out_for_a_reason(request):
    """Keep this test last: it looks at what the others have read."""
    goldens.skip_unless_whole_file_ran(request)
    mine = fnmatch.filter(goldens.file_names(), 'head_*')
    mine += fnmatch.filter(goldens.file_names(), 'network_*')
    assert set(mine) <= set(LEFT_OUT)
    for file, patterns in LEFT_OUT.items():
        goldens.assert_read_or_left_out(file, patterns)
