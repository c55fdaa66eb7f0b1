"""The Kubernetes API: raw documents in and out, one exception family, writes that are safe to repeat."""
