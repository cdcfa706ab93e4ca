# syntax=docker/dockerfile:1
# The server in a slim image: built from the locked requirements, run by a user without a name or rights.
# Its steps are run, without a Docker engine, by tests/architecture/test_image.py.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /build/tools && /build/tools/bin/pip install --require-hashes --requirement requirements/build.txt
RUN python -m venv /opt/recovery-api && /opt/recovery-api/bin/pip install --require-hashes --requirement requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY src src
RUN /build/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist .
RUN /opt/recovery-api/bin/pip install --no-deps --no-index dist/*.whl
RUN mkdir -p /var/lib/recovery

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="recovery-api" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/recovery-api /opt/recovery-api
COPY --from=build --chown=10001:10001 /var/lib/recovery /var/lib/recovery
ENV PATH=/opt/recovery-api/bin:$PATH PYTHONUNBUFFERED=1 RECOVERY_DATA_DIR=/var/lib/recovery
WORKDIR /var/lib/recovery
VOLUME /var/lib/recovery
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
# `recovery-api migrate` prepares the database: once, before the servers that share it.
CMD ["recovery-api", "serve", "--host", "0.0.0.0", "--port", "8000"]
