"""The mesh agent: Istio and Kubernetes documents in, a running Envoy and its telemetry out."""
