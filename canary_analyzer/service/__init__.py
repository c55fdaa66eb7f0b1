"""The long-running service: it watches Deployments and takes each run forward, one pass at a time."""
