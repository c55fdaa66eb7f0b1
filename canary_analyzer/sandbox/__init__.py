"""The mesh in a box: Kubernetes API, workloads, pods and mesh on one machine, without a container runtime."""
