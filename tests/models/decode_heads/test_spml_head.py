import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from models.small_segmentor import (
    BN,
    FOUR_RELATIONS,
    UNLABELED,
    VOID,
    C,
    D,
    batch,
    build,
    metas,
    pooled,
    sample,
    weak_maps,
)

from mmseg_spml.functional.segments.pooling import pool_segments
from mmseg_spml.models import SegmentBank
from mmseg_spml.models.decode_heads import spml_head
from mmseg_spml.models.decode_heads.retrieval_options import RetrievalOptions


def head(**options):
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    settings = dict(
        type='SPMLHead',
        embedding_dim=D,
        num_classes=C,
        norm_cfg=BN,
        dropout_ratio=0.0,
        retrieval=dict(grid=(2, 2), iterations=3, neighbors=2),
    )
    return MODELS.build({**settings, **options})


def embedding_map(count=2, size=(6, 7)):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, D, *size, generator=generator).requires_grad_()


def samples_of(labels):
    return [sample(one) for one in labels]


# ---------------------------------------------------------------- classifier


def test_classifier_by_hand():
    one = head().eval()
    conv, norm, _, _, last = one.classifier
    with torch.no_grad():
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.5, 2)
    x = embedding_map()
    out = F.conv2d(x / x.norm(dim=1, keepdim=True), conv.weight, padding=1)
    out = F.batch_norm(
        out, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    ).relu()
    out = F.conv2d(out, last.weight, last.bias)
    assert conv.bias is None and conv.out_channels == 2 * D
    assert torch.allclose(one([x]), out, atol=1e-6)
    assert torch.allclose(one([3 * x]), out, atol=1e-6)


def test_dropout_is_elementwise():
    one = head(dropout_ratio=0.5)
    dropped = one.classifier[3](torch.ones(1, 4, 50, 50)) == 0
    rates = dropped.float().mean((2, 3))
    assert ((rates > 0.4) & (rates < 0.6)).all()


def test_cross_entropy_ignores_unlabeled_and_void():
    one = head().eval()
    labels = weak_maps(2, (12, 14))[0]
    assert (labels == UNLABELED).any() and (labels == VOID).any()
    x = embedding_map()
    losses = one.loss([x], samples_of(labels), None)
    logits = F.interpolate(
        one([x]), size=(12, 14), mode='bilinear', align_corners=False
    )
    flat = logits.permute(0, 2, 3, 1)[labels < C]
    expected = F.cross_entropy(flat, labels[labels < C])
    assert losses['loss_ce'].item() == pytest.approx(expected.item(), rel=1e-5)
    # any value of C and above is unlabeled
    labels[labels == UNLABELED] = 200
    again = one.loss([x], samples_of(labels), None)
    assert again['loss_ce'] == losses['loss_ce']


def test_nothing_labeled_is_an_attached_zero():
    one = head()
    labels = torch.full((2, 12, 14), UNLABELED)
    losses = one.loss([embedding_map()], samples_of(labels), None)
    assert losses['loss_ce'].item() == 0
    losses['loss_ce'].backward()
    assert all(p.grad is not None and not p.grad.any() for p in one.parameters())


@pytest.mark.parametrize('detach', [True, False])
def test_detach(detach):
    one = head(detach=detach)
    x = embedding_map()
    losses = one.loss([x], samples_of(weak_maps(2, (12, 14))[0]), None)
    losses['loss_ce'].backward()
    assert (x.grad is None) == detach
    assert detach or x.grad.abs().sum() > 1e-3
    assert all(p.grad.abs().sum() > 0 for p in one.parameters())


@pytest.mark.parametrize(
    'relations, weight, expected',
    [
        ((), 'annotation', 1.0),
        (FOUR_RELATIONS[1:], 'annotation', 1.0),
        (FOUR_RELATIONS, 'annotation', 0.7),
        ([dict(FOUR_RELATIONS[0], loss_weight=0.0)], 'annotation', 1.0),
        (FOUR_RELATIONS, 0.25, 0.25),
        ((), 2, 2.0),
    ],
)
def test_classifier_weight(relations, weight, expected):
    one = head(relations=relations, classifier_weight=weight).eval()
    plain = head().eval()
    x, labels = embedding_map(), weak_maps(2, (12, 14))[0]
    loss = one.loss_by_feat(one([x]), samples_of(labels))
    base = plain.loss_by_feat(plain([x]), samples_of(labels))
    assert loss['loss_ce'].item() == pytest.approx(expected * base['loss_ce'].item())
    # the accuracy is no loss: not scaled
    assert loss['acc_seg'] == base['acc_seg']


def test_global_mean_of_the_cross_entropy(monkeypatch):
    """Other ranks have three times as many labeled pixels: twice the mean count."""
    x, labels = embedding_map(), weak_maps(2, (12, 14))[0]
    own = head().eval().loss([x], samples_of(labels), None)['loss_ce']
    monkeypatch.setattr(
        'mmseg_spml.models.losses.reduction.all_reduce', lambda n, op: n.mul_(2)
    )
    value = head(reduction='global_mean').eval().loss([x], samples_of(labels), None)
    assert value['loss_ce'].item() == pytest.approx(own.item() / 2, rel=1e-6)


# ----------------------------------------------------------------- relations


def test_names_and_values_of_the_losses():
    one = head(relations=FOUR_RELATIONS)
    embedding, segments = pooled(2, dtype=torch.float32)
    labels = weak_maps(2, (6, 7))[0]
    losses = one.loss([embedding], samples_of(labels), None, segments)
    assert list(losses) == [
        'loss_ce',
        'acc_seg',
        'loss_annotation',
        'loss_cooccurrence',
        'loss_image_similarity',
        'loss_affinity',
    ]
    for relation in one.relations:
        assert losses[relation.loss_name] == relation(segments)
        assert losses[relation.loss_name] > 1e-4


def test_two_relations_of_one_kind_under_two_names():
    relations = [
        dict(type='SemanticAnnotationLoss', concentration=6),
        dict(type='SemanticAnnotationLoss', concentration=2, loss_name='loss_soft'),
    ]
    embedding, segments = pooled(2, dtype=torch.float32)
    one = head(relations=relations)
    labels = weak_maps(2, (6, 7))[0]
    losses = one.loss([embedding], samples_of(labels), None, segments)
    assert losses['loss_soft'] != losses['loss_annotation']


def test_the_weight_of_a_classifier_loss_of_any_name():
    """MMEngine adds up all losses whose names contain 'loss'."""
    loss = dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_name='ce_loss')
    labels = samples_of(weak_maps(2, (6, 7))[0])
    of = {
        weight: head(loss_decode=loss, classifier_weight=weight)
        .eval()
        .loss([embedding_map()], labels, None)['ce_loss']
        for weight in (1.0, 0.1)
    }
    assert of[0.1].item() == pytest.approx(0.1 * of[1.0].item())


def test_without_relations_to_other_images_nothing_is_gathered(monkeypatch):
    monkeypatch.setattr(spml_head, 'SegmentGather', None)
    memory = dict(type='SegmentMemory', steps=2)
    one = head(relations=FOUR_RELATIONS[2:3], memory=memory).train()
    embedding, segments = pooled(2, dtype=torch.float32)
    labels = samples_of(weak_maps(2, (6, 7))[0])
    losses = one.loss([embedding], labels, None, segments)
    assert losses['loss_image_similarity'] == one.relations[0](segments)
    assert one.memory.segments(torch.device('cpu')) is None


def test_ignored_tags_are_classes():
    relation = dict(FOUR_RELATIONS[1], ignore_tags=(C,))
    embedding, segments = pooled(2, dtype=torch.float32)
    labels = samples_of(weak_maps(2, (6, 7))[0])
    with pytest.raises(ValueError, match=rf'class ids in 0..{C - 1}, got \({C},\)'):
        head(relations=[relation]).loss([embedding], labels, None, segments)


def test_half_precision_of_a_zero_embedding():
    classifier = head().classifier.half().eval()
    assert classifier(torch.zeros(1, D, 3, 3).half()).isfinite().all()
    classifier.double()  # keeps its precision
    one = embedding_map().detach().double() / 3
    unit = F.normalize(one, dim=1)
    torch.testing.assert_close(classifier(one), classifier(unit), rtol=0, atol=1e-12)


def test_reduction_reaches_the_relations():
    changed = [FOUR_RELATIONS[0], dict(FOUR_RELATIONS[2], reduction='rank_mean')]
    one = head(relations=changed, reduction='global_mean')
    reductions = [relation.reduction for relation in one.relations]
    assert reductions == ['global_mean', 'rank_mean']


def test_every_parameter_gets_a_gradient():
    model = build().train()
    losses = model.loss(*batch())
    assert {name for name in losses if 'loss' in name} == {
        'decode.loss_ce',
        'decode.loss_annotation',
        'decode.loss_cooccurrence',
        'decode.loss_image_similarity',
        'decode.loss_affinity',
    }
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize('number', range(4))
def test_each_relation_trains_the_embedding(number):
    model = build(relations=FOUR_RELATIONS[number : number + 1]).train()
    losses = model.loss(*batch())
    (name,) = (n for n in losses if n not in ('decode.loss_ce', 'decode.acc_seg'))
    losses[name].backward()
    assert model.backbone.stem[0].weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.decode_head.classifier.parameters())


def test_autocast_losses_are_float32():
    model = build().train()
    inputs, samples = batch()
    plain = model.loss(inputs, samples)
    model.decode_head.memory.clear()
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(inputs, samples)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    for name, value in losses.items():
        assert value.dtype == torch.float32, name
        assert value.isfinite().all(), name
        if 'loss' in name:
            # bfloat16 moves some pixels to other clusters, no more
            assert value.item() == pytest.approx(plain[name].item(), rel=0.2), name
    assert all(p.grad.isfinite().all() for p in model.parameters())


# ------------------------------------------------------------------- predict


@pytest.mark.parametrize('classify_at', ['input', 'embedding'])
def test_classify_at(classify_at):
    one = head(classify_at=classify_at).eval()
    x = embedding_map().detach()
    inputs = torch.zeros(2, 3, 24, 28)
    with torch.no_grad():
        out = one.predict([x], metas(inputs), {})
        if classify_at == 'input':
            big = F.interpolate(x, size=(24, 28), mode='bilinear', align_corners=False)
            expected = one([big])
        else:
            expected = F.interpolate(
                one([x]), size=(24, 28), mode='bilinear', align_corners=False
            )
    assert torch.allclose(out, expected, atol=1e-6)
    assert out.shape == (2, C, 24, 28)


def test_classifying_at_the_input_differs_from_classifying_at_the_embedding():
    x, inputs = embedding_map().detach(), torch.zeros(2, 3, 24, 28)
    at_input = head(classify_at='input').eval().predict([x], metas(inputs), {})
    at_embedding = head(classify_at='embedding').eval().predict([x], metas(inputs), {})
    assert (at_input - at_embedding).abs().max() > 1e-3


def clusters_of(x, valid):
    return pool_segments(
        x,
        torch.where(valid, 0, VOID),
        torch.zeros_like(valid, dtype=torch.long),
        torch.zeros(len(x), C, dtype=torch.bool),
        grid=(2, 2),
        iterations=3,
        num_classes=C,
    )


def test_retrieve_paints_the_votes_of_segments():
    one = head(predictor='retrieval')
    x = embedding_map().detach()
    valid = torch.ones(2, 6, 7, dtype=torch.bool)
    valid[1, 4:] = valid[1, :, 5:] = False
    generator = torch.Generator().manual_seed(4)
    bank = F.normalize(torch.randn(9, D, generator=generator), dim=1)
    labels = torch.randint(0, C, (9,), generator=generator)
    one.bank = SegmentBank(bank, labels)
    out = one.retrieve(x, valid)
    segments = clusters_of(x, valid)
    nearest = (segments.prototypes @ bank.t()).argsort(dim=1, descending=True)[:, :2]
    painted = torch.zeros(2, 6, 7, C)
    frequency = F.one_hot(labels[nearest], C).float().mean(1)
    painted[valid] = frequency[segments.pixel_segment]
    assert torch.allclose(out, painted.permute(0, 3, 1, 2), atol=1e-6)


def test_padding_changes_no_other_prediction():
    """Embeddings of padding take no part, whatever they are."""
    one = head(predictor='retrieval')
    one.bank = SegmentBank(F.normalize(torch.randn(9, D), dim=1), torch.arange(9) % C)
    x = embedding_map(1).detach()
    valid = torch.ones(1, 6, 7, dtype=torch.bool)
    valid[:, 4:] = False
    out = one.retrieve(x, valid)
    x[:, :, 4:] = 100 * torch.randn(1, D, 2, 7)
    assert torch.equal(one.retrieve(x, valid), out)


def test_labeled_segments():
    one = head()
    x = embedding_map().detach()
    labels = weak_maps(2, (6, 7))[0]
    prototypes, label = one.labeled_segments(x, labels)
    clusters = pool_segments(
        x,
        torch.where(labels == 255, 255, 0),
        torch.zeros_like(labels),
        torch.zeros(2, C, dtype=torch.bool),
        grid=(2, 2),
        iterations=3,
        num_classes=C,
    )
    valid = labels != 255
    pixels, known = clusters.pixels, labels[valid]
    expected = set()
    for cluster in range(len(clusters)):
        for value in range(C):
            part = pixels[(clusters.pixel_segment == cluster) & (known == value)]
            if len(part):
                mean = torch.nn.functional.normalize(part.sum(0), dim=0)
                expected.add((value, *mean.mul(1e4).round().int().tolist()))
    rows = prototypes.mul(1e4).round().int().tolist()
    assert {(value, *row) for value, row in zip(label.tolist(), rows)} == expected
    assert len(label) == len(expected) > 4


def test_clusters_without_a_labeled_pixel_are_not_in_the_bank():
    one = head()
    x = embedding_map().detach()
    labels = torch.full(x.shape[:1] + x.shape[2:], C)
    assert [len(part) for part in one.labeled_segments(x, labels)] == [0, 0]
    labels[0, 0, 0] = 2
    prototypes, label = one.labeled_segments(x, labels)
    assert label.tolist() == [2] and prototypes.shape == (1, D)


def test_bank_comes_from_the_named_file(tmp_path):
    path = tmp_path / 'bank.safetensors'
    SegmentBank(torch.eye(D)[:3], torch.tensor([1, 2, 0])).save(path)
    one = head(predictor='retrieval', retrieval=dict(bank=str(path)))
    assert one.bank.labels.tolist() == [1, 2, 0]
    assert one.retrieval.grid == (12, 12) and one.retrieval.neighbors == 20


def test_without_a_bank_the_error_says_what_to_do():
    one = head(predictor='retrieval')
    valid = torch.ones(2, 6, 7, dtype=torch.bool)
    with pytest.raises(ValueError, match='SegmentBankHook'):
        one.retrieve(embedding_map(), valid)


# ------------------------------------------------------------------- options


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(predictor='crf'), r"predictor must be .*'retrieval'.*'crf'"),
        (dict(classify_at='output'), r"classify_at must be .*'embedding'.*'output'"),
        (dict(retrieval=dict(nearest=5)), r"\['nearest'\]; known are .*neighbors"),
        (dict(relations=FOUR_RELATIONS[:1], reduction='sum'), "got 'sum'"),
        (dict(reduction='sum'), "'sum'"),
        (dict(retrieval=dict(resolution='inptu')), "'inptu'"),
        (dict(classifier_weight='annotatoin'), "classifier_weight.*'annotatoin'"),
        (dict(retrieval=dict(grid=(0, 3))), r'grid must be two .*\(0, 3\)'),
        (dict(retrieval=dict(grid=6)), 'grid must be two .* got 6'),
        (dict(retrieval=dict(iterations=-1)), 'iterations must be 0 or more'),
        (dict(retrieval=dict(neighbors=0)), 'neighbors must be 1 or more'),
        (dict(act_cfg=dict(type='GELU'), in_index=1), 'no act_cfg and in_index'),
        (
            dict(relations=[dict(FOUR_RELATIONS[0], loss_name='loss_ce')]),
            r"a loss_name of its own, got \['loss_ce'\] more than once",
        ),
        (dict(relations=[dict(FOUR_RELATIONS[0], loss_name='pull')]), "'loss_'.*pull"),
        (dict(relations=[dict(FOUR_RELATIONS[0], loss_weight=-1)]), 'got -1'),
        (dict(relations=[dict(FOUR_RELATIONS[0], concentration=-6)]), 'got -6'),
        (dict(relations=[dict(FOUR_RELATIONS[1], ignore_tags=(-1,))]), 'class ids'),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(ValueError, match=message):
        head(**options)


def test_defaults_are_those_of_the_release():
    one = head(norm_cfg=None, dropout_ratio=0.75, retrieval=None)
    assert type(one.classifier[1]) is torch.nn.BatchNorm2d
    assert one.retrieval == RetrievalOptions(
        grid=(12, 12),
        iterations=10,
        neighbors=20,
        resolution='input',
        bank=None,
        backend='torch',
    )
    assert spml_head.SPMLHead(D, C, norm_cfg=BN).classifier[3].p == 0.75


def test_a_bank_of_more_classes(tmp_path):
    path = tmp_path / 'bank'
    SegmentBank(torch.eye(D), torch.arange(D) + C).save(path)
    one = head(predictor='retrieval', retrieval=dict(bank=str(path)))
    with pytest.raises(ValueError, match='another data set'):
        one.bank.to('cpu')


def test_unknown_backend():
    relation = dict(type='SemanticAnnotationLoss', concentration=6)
    with pytest.raises(ValueError, match='loss backend'):
        head(relations=[relation], loss_backend='tritn')
    with pytest.raises(ValueError, match=r'retrieval\.backend'):
        head(retrieval=dict(backend='annoy'))


def test_no_unused_convolution():
    assert {name.split('.')[0] for name, _ in head().named_parameters()} == {
        'classifier'
    }
