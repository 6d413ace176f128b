# The control of efficientnet_lite0_ccp_mixed_propagation.py: batch statistics of
# scribbled and tagged photographs together.
_base_ = './efficientnet_lite0_ccp_mixed_propagation.py'
custom_hooks = _base_.custom_hooks[:-1]
