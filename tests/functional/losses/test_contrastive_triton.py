"""The kernels on a CPU: run by Triton's interpreter, and compiled for two GPUs."""

import os
import subprocess
import sys

# Read when a kernel is defined.
os.environ['TRITON_INTERPRET'] = '1'

import pytest
import torch
from contrastive_problems import make, reference_losses

from benchmarks.dense_reference import dense_pixel_to_segment_loss
from mmseg_spml.functional.losses import contrastive, contrastive_blockwise
from mmseg_spml.functional.losses.contrastive_blockwise import Problem

# The interpreter of older releases fails with NumPy 2.
pytest.importorskip('triton', '3.2', reason='the kernels need Triton 3.2')

from mmseg_spml.functional.losses import contrastive_triton  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    'ignore:(divide by zero|overflow|invalid value):RuntimeWarning'
)


def as_float32(pixels, prototypes, *rest):
    return pixels.float(), prototypes.float(), *rest


def as_float64(pixels, prototypes, *rest):
    return pixels.double(), prototypes.double(), *rest


def error(found, expected):
    assert found.shape == expected.shape
    assert torch.isfinite(found).all()
    largest = expected.abs().max() if expected.numel() else torch.ones(())
    return float((found.double() - expected).norm() / largest.clamp_min(1e-30))


def check(problem, concentration, tolerance=1e-5):
    """Compare with the blockwise code in float64, tested elsewhere against loops."""
    problem = as_float32(*problem)
    weight = torch.rand(len(problem[0]), generator=torch.Generator().manual_seed(0))
    kernels = contrastive_triton.loss_and_gradients(
        Problem(*problem, concentration), weight
    )
    expected = contrastive_blockwise.loss_and_gradients(
        Problem(*as_float64(*problem), concentration), weight.double()
    )
    for found, correct in zip(kernels, expected):
        assert error(found, correct) <= tolerance * max(1, len(found)) ** 0.5
    return kernels


@pytest.mark.parametrize('concentration', [0.0, 1e-3, 1.0, 12.0, 64.0, 200.0])
@pytest.mark.parametrize(
    'size',
    [(1, 1, 1, 1), (7, 1, 2, 3), (17, 9, 5, 4), (65, 33, 16, 2), (130, 100, 66, 13)],
)
def test_value_and_gradients(size, concentration):
    problem = make(*size, seed=size[0])
    losses, *_ = check(problem, concentration)
    expected = reference_losses(*as_float64(*as_float32(*problem)), concentration)
    assert torch.allclose(losses.double(), expected, rtol=1e-5, atol=1e-5)


def test_many_pixels_cross_the_parts(monkeypatch):
    monkeypatch.setattr(contrastive_triton, '_PROGRAMS', 6)
    check(make(700, 70, 8, 5), 6.0)


@pytest.mark.parametrize('count, segments', [(0, 4), (0, 0)])
def test_no_pixels(count, segments):
    losses, of_pixels, of_prototypes = check(make(count, max(segments, 1), 3, 2), 6.0)
    assert losses.shape == (0,) and of_pixels.shape == (0, 3)
    assert not of_prototypes.any()


@pytest.mark.parametrize('entry', [0, 1])
def test_where_nothing_repels_the_loss_is_zero(entry):
    pixels, prototypes, own, row, comparison = make(90, 40, 4, 3)
    comparison.fill_(entry)
    found = check((pixels, prototypes, own, row, comparison), 6.0)
    assert not any(part.any() for part in found)


def test_all_repel():
    pixels, prototypes, own, row, comparison = make(90, 40, 4, 3)
    comparison.fill_(-1)
    check((pixels, prototypes, own, row, comparison), 6.0)


def test_one_row_of_many_repels():
    pixels, prototypes, own, row, comparison = make(200, 50, 4, 9)
    comparison[1:] = comparison[1:].abs()
    losses, *_ = check((pixels, prototypes, own, row, comparison), 12.0)
    assert not losses[row > 0].any()
    assert losses[row == 0].any()


def test_segments_of_other_images_are_passed_over():
    pixels, prototypes, own, _, _ = make(256, 128, 8, 1)
    image = torch.arange(128) // 32
    own = torch.arange(256) // 2
    region = torch.arange(128) % 5
    same_image = image[:, None] == image
    same = same_image & (region[:, None] == region)
    table = same.to(torch.int8) - (same_image & ~same).to(torch.int8)
    check((pixels, prototypes, own, own, table), 16.0)


def test_not_contiguous_inputs():
    pixels, prototypes, own, row, comparison = make(70, 40, 6, 3)
    wide = torch.cat([pixels, pixels], dim=1)
    check(
        (wide[:, :6], prototypes.t().contiguous().t(), own, row, comparison.t().t()),
        6.0,
    )


@pytest.mark.parametrize('concentration', [1.0, 6.0, 16.0])
def test_gradients_are_as_exact_as_those_of_whole_matrices(concentration):
    problem = as_float32(*make(300, 90, 64, 3))
    weight = torch.full((300,), 1 / 300)
    _, *kernels = contrastive_triton.loss_and_gradients(
        Problem(*problem, concentration), weight
    )
    _, *expected = contrastive_blockwise.loss_and_gradients(
        Problem(*as_float64(*problem), concentration), weight.double()
    )
    leaves = [tensor.clone().requires_grad_() for tensor in problem[:2]]
    own, row, comparison = problem[2:]
    table = comparison[row]
    loss = dense_pixel_to_segment_loss(
        *leaves, own, table > 0, table < 0, concentration
    ).mean()
    dense = torch.autograd.grad(loss, leaves)
    for found, other, correct in zip(kernels, dense, expected):
        assert error(found, correct) <= 3 * error(other, correct)


@pytest.fixture
def triton_backend():
    contrastive.set_loss_backend('triton')
    yield
    contrastive.set_loss_backend('torch')


def test_plain_pytorch_is_the_default(monkeypatch):
    """Also where kernels would run: no run on a GPU has been recorded."""
    monkeypatch.setattr(contrastive, '_kernels_run_on', lambda device: True)
    monkeypatch.setattr(contrastive_triton, 'loss_and_gradients', None)
    problem = as_float32(*make(9, 5, 4, 3))
    assert contrastive.get_loss_backend() == 'torch'
    assert contrastive.pixel_to_segment_loss(*problem, 6.0) > 0


def test_kernels_that_cannot_run_are_refused(triton_backend):
    problem = as_float32(*make(9, 5, 4, 3))
    for options in ({}, dict(backend='triton')):
        with pytest.raises(ValueError, match="'triton' needs a CUDA device.*on cpu"):
            contrastive.pixel_to_segment_loss(*problem, 6.0, **options)
    assert contrastive.pixel_to_segment_loss(*problem, 6.0, backend='torch') > 0
    with pytest.raises(ValueError, match="must be one of.*got 'cuda'"):
        contrastive.set_loss_backend('cuda')


def test_the_loss_takes_the_kernels_where_they_run(monkeypatch, triton_backend):
    problem = as_float32(*make(40, 20, 4, 3))
    called = []

    def kernels(*arguments):
        called.append(True)
        return solve(*arguments)

    solve = contrastive_triton.loss_and_gradients
    monkeypatch.setattr(contrastive_triton, 'loss_and_gradients', kernels)
    monkeypatch.setattr(contrastive, '_kernels_run_on', lambda device: True)
    pixels = problem[0].clone().requires_grad_()
    contrastive.pixel_to_segment_loss(pixels, *problem[1:], 6.0).backward()
    assert called
    monkeypatch.undo()
    contrastive.set_loss_backend('torch')
    again = problem[0].clone().requires_grad_()
    contrastive.pixel_to_segment_loss(again, *problem[1:], 6.0).backward()
    assert torch.allclose(pixels.grad, again.grad, atol=1e-6)
    contrastive.pixel_to_segment_nll(*as_float64(*problem), 6.0)


_COMPILE = """
import inspect
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from mmseg_spml.functional.losses import contrastive_triton as kernels

integers = dict(own='*i64', row='*i64', alone='*i8', repelled='*i32', comparison='*i8',
                num_pixels='i32', num_segments='i32', dimension='i32',
                tiles_per_part='i32', scale='fp32')
for kernel in (kernels._log_sum_kernel, kernels._pixel_gradient_kernel,
               kernels._prototype_gradient_kernel):
    for precision in ('tf32', 'tf32x3'):
        constants = dict(TILE_P=kernels._TILE_PIXELS, TILE_S=kernels._TILE_SEGMENTS,
                         TILE_D=64, PRECISION=precision)
        signature = {name: 'constexpr' if name in constants
                     else integers.get(name, '*fp32') for name in kernel.arg_names}
        place = kernel.arg_names.index
        places = {(place(name),): value for name, value in constants.items()}
        source = ASTSource(kernel, signature, places)
        for capability in (80, 90):
            compiled = triton.compile(source, GPUTarget('cuda', capability, 32),
                                      options=dict(num_warps=kernels._WARPS))
            assert 'mma' in compiled.asm['ptx'] and compiled.asm['cubin']
"""


def test_the_kernels_compile_for_tensor_cores():
    environment = {k: v for k, v in os.environ.items() if k != 'TRITON_INTERPRET'}
    done = subprocess.run(
        [sys.executable, '-c', _COMPILE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
