"""Numerical core of SPML: functions on tensors and arrays, without any ``mm*`` import."""
