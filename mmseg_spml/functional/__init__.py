"""Numerical core: functions on tensors and arrays, without any ``mm*`` import."""
