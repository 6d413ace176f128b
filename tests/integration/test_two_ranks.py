"""Two processes give the mean of their losses, with everybody's prototypes.

From the embedding map on: segments, all relations, the memory over three steps, and
the classifier with fixed batch statistics.
"""

import json
import time

import pytest
import torch
from goldens import Golden, folder
from integration import ranks, tiny
from torch.multiprocessing import start_processes

TOLERANCE = 1e-5


def golden_inputs():
    """Inputs of the two-device reference file, or None where it is missing."""
    try:
        golden = Golden('head_segsort_two_devices')
    except pytest.skip.Exception:
        return None
    config = json.loads(str(golden['h_config']))
    classes = config['num_classes']
    devices = range(config['devices'])

    def tensors(key):
        return [golden.tensor(key.format(device)) for device in devices]

    # Tags of the release leave the background out; here the loss ignores it.
    tags = [tag[:, :classes] > 0 for tag in tensors('h_t2_dev{}_tag')]
    images = sum(map(len, tensors('h_t2_dev{}_emb')))
    memory = []
    for number in range(config['memory_bank_size']):
        label = golden.tensor(f'h_memory_prototype_semantic_label_{number}')
        prototypes = golden.tensor(f'h_memory_prototype_{number}')
        located = golden.tensor(f'h_memory_prototype_with_loc_{number}')
        # The release raises the numbers of kept images by those of each step.
        image = golden.tensor(f'h_memory_prototype_batch_index_{number}') % images
        image_tags = torch.zeros(images, classes, dtype=torch.int8)
        tag = golden.tensor(f'h_memory_prototype_semantic_tag_{number}')
        image_tags[image] = (tag[:, :classes] > 0).to(torch.int8)
        nothing = label[:0]
        memory.append(
            dict(
                pixels=prototypes[:0],
                pixels_loc=located[:0],
                pixel_label=nothing,
                pixel_segment=nothing,
                pixel_image=nothing,
                prototypes=prototypes,
                prototypes_loc=located,
                label=label,
                region=golden.tensor(f'h_memory_prototype_instance_label_{number}'),
                image=image,
                image_tags=image_tags,
                label_sets=None,
            )
        )
    return dict(
        config=config['train'],
        grid=tuple(config['num_clusters']),
        memory=memory,
        ranks=list(
            zip(
                tensors('h_t2_dev{}_emb'),
                tensors('h_t2_dev{}_semantic'),
                tensors('h_t2_dev{}_instance'),
                tags,
            )
        ),
    )


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """What each rank found; a hang is an error after two minutes."""
    path = tmp_path_factory.mktemp('ranks')
    arguments = (tiny.free_port(), str(path), golden_inputs())
    context = start_processes(
        ranks.run_rank, arguments, ranks.RANKS, join=False, start_method='spawn'
    )
    end = time.monotonic() + 120
    while not context.join(timeout=5):
        if time.monotonic() > end:
            for process in context.processes:
                process.kill()
            pytest.fail('the two processes did not end within two minutes')
    return [
        torch.load(path / f'{rank}.pt', weights_only=False)
        for rank in range(ranks.RANKS)
    ]


def assert_close(value, target, what):
    """Relative error in the Euclidean norm; zero must be exactly zero."""
    assert value.shape == target.shape, what
    error = (value - target).double().norm() / target.double().norm().clamp_min(1e-30)
    assert error <= TOLERANCE, f'{what}: relative error {error:.2g}'


def compare(found, expected):
    """Steps of the ranks against those of one process."""
    for step in range(ranks.STEPS):
        target = expected[step]
        own = [rank[step] for rank in found]
        for name, value in target['losses'].items():
            mean = sum(rank['losses'][name] for rank in own) / len(own)
            assert_close(mean, value, f'{name} in step {step}')
        for number, gradient in enumerate(target['gradients']):
            # DDP divides the sum over ranks by their number.
            value = own[number]['gradients'][0] / len(own)
            assert_close(value, gradient, f'gradient of rank {number}, step {step}')
        for name, gradient in target['parameters'].items():
            mean = sum(rank['parameters'][name] for rank in own) / len(own)
            assert_close(mean, gradient, f'gradient of {name}, step {step}')


@pytest.mark.parametrize('scene', list(ranks.SCENES))
def test_mean_of_rank_losses(results, scene):
    found = [rank[scene, 'rank_mean'] for rank in results]
    compare(found, ranks.emulated_steps(scene))


@pytest.mark.parametrize('scene', list(ranks.SCENES))
def test_global_mean_is_that_of_one_process(results, scene):
    found = [rank[scene, 'global_mean'] for rank in results]
    compare(found, ranks.joint_steps(scene))


def test_reductions_differ_where_ranks_do(results):
    """The two comparisons above are not the same one."""
    means = [
        sum(
            rank['unequal', reduction][0]['losses']['loss_annotation']
            for rank in results
        )
        for reduction in ('rank_mean', 'global_mean')
    ]
    assert abs(means[0] - means[1]) > 10 * TOLERANCE * means[0]


@pytest.mark.parametrize('scene', list(ranks.SCENES))
def test_memories_agree(results, scene):
    """Every rank keeps the segments of all ranks, as one process would."""
    memories = [rank[scene, 'rank_mean'][-1] for rank in results]
    memories.append(ranks.emulated_steps(scene)[-1])
    for kept in zip(*memories):
        for name, value in kept[0].items():
            for other in kept[1:]:
                assert torch.allclose(value, other[name], atol=1e-6, rtol=0), name
    for kept in memories[0]:
        assert len(kept['image_tags']) == sum(ranks.SCENES[scene][0])


def test_prototypes_of_other_ranks_matter(results):
    """A rank's gradient depends on the other's pixels; none is left alone."""
    gradient = results[1]['unlabeled', 'rank_mean'][0]['gradients'][0]
    assert gradient.norm() > 0
    void = results[1]['void', 'rank_mean'][0]['gradients'][0]
    assert void.norm() == 0


@pytest.mark.parametrize('scene', ranks.LONELY_SCENES)
@pytest.mark.parametrize('relation', [r['type'] for r in ranks.RELATIONS])
def test_single_relation(results, scene, relation):
    """One relation alone, where a rank has nothing to compare: no rank waits."""
    found = [rank[scene, relation] for rank in results]
    chosen = [r for r in ranks.RELATIONS if r['type'] == relation]
    compare(found, ranks.emulated_steps(scene, chosen))


def test_distributed_data_parallel(results):
    """A whole model under DDP, a rank of which sees only void at times."""
    first, second = (rank['ddp'] for rank in results)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.isfinite(value).all(), name
        assert torch.equal(value, second[name]), name


def test_reference_values_of_two_devices(results):
    """Losses and gradients of the authors' release with two devices."""
    folder()
    golden = Golden('head_segsort_two_devices')
    names = {
        'loss_annotation': 'sem_ann',
        'loss_cooccurrence': 'sem_occ',
        'loss_image_similarity': 'img_sim',
    }
    total = 0
    for device, rank in enumerate(results):
        found = rank['golden']
        for ours, theirs in names.items():
            value = float(found['losses'][ours])
            target = float(golden[f'h_{theirs}_loss_64'][device])
            assert value == pytest.approx(target, rel=1e-5), (ours, device)
        total += sum(map(float, found['losses'].values())) / len(results)
        gradient = found['gradients'][0] / len(results)
        target = golden.tensor(f'h_grad_total_dev{device}_64')
        error = (gradient - target).norm() / target.norm()
        assert error <= 1e-4, (device, error)
        for number, kept in enumerate(found['memory']):
            target = golden[f'h_after_memory_prototype_batch_index_{number}']
            images = len(kept['image_tags'])
            assert kept['image'].tolist() == (target % images).tolist()
    assert total == pytest.approx(float(golden['h_total_64']), rel=1e-5)
