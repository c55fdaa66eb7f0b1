"""A steady client of the sandbox's ingress that counts every answer and every request that got none."""
