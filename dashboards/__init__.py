"""Grafana dashboards as typed Python; `make dashboards` writes them as the JSON beside this file."""
