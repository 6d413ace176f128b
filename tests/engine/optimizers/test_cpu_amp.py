import torch
from mmengine.optim import build_optim_wrapper

import mmseg_spml  # noqa: F401


def test_forward_in_bfloat16_and_parameters_in_float32():
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    wrapper = build_optim_wrapper(
        model, dict(type='mmseg.CPUAmpOptimWrapper', optimizer=dict(type='SGD', lr=0.1))
    )
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        output = model(torch.ones(2, 4))
        loss = output.float().mean()
    assert output.dtype == torch.bfloat16
    wrapper.update_params(loss)
    assert model.weight.dtype == torch.float32
    torch.testing.assert_close(model.weight, before - 0.1)
    assert 'loss_scaler' not in wrapper.state_dict()
