"""A cluster, its users, its data plane and the service in one thread and one clock: a whole rollout in under a second.

Nothing here is a stand-in for code of ours: the service runs as it is, down to the bytes that the official client would
send; the API emulator and the workload controllers are those of the sandbox. Faked are the socket between the two, the
clock, the threads and the requests of the app's users. Left out are the cache of looks at the cluster (each look is a
request here) and other replicas: `tests/service/test_replicas.py` and `make chaos-replicas` have them.
"""
