"""The workload controllers: Deployment -> ReplicaSet -> Pod, Endpoints of Services, and owner garbage collection.

The modules decide (`plan(object, ...) -> writes`), `controller` does the reading and writing.
"""

from canary_analyzer.sandbox.workloads.controller import run

__all__ = ["run"]
