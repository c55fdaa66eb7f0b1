# The service. `docker build --tag registry.example/canary-analyzer:0.1.0 .`
# Versions and hashes of everything in it are those of requirements-service.lock; `make lock` renews them.
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements-build.lock requirements-service.lock ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes --requirement requirements-build.lock
RUN python -m venv /opt/canary-analyzer && /opt/canary-analyzer/bin/pip install --require-hashes --requirement requirements-service.lock
COPY pyproject.toml README.md LICENSE ./
COPY canary_analyzer canary_analyzer
COPY flask_app flask_app
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheel . \
    && /opt/canary-analyzer/bin/pip install --no-deps /opt/wheel/canary_analyzer-*.whl \
    && /opt/canary-analyzer/bin/pip uninstall --yes pip

FROM python:3.11.13-slim-bookworm
COPY --from=build /opt/canary-analyzer /opt/canary-analyzer
# /tmp is the one place that is written to: by matplotlib, for its list of fonts.
ENV PATH=/opt/canary-analyzer/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["canary-analyzer"]
CMD ["serve"]
