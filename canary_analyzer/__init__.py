"""Canary analysis for Istio: shift traffic step by step, judge, promote or abort."""

__version__ = "0.1.0"
