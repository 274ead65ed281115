# syntax=docker/dockerfile:1
# Two images: `gateway` (what is run) and `mocks` (the same, with the mock services of a province).

FROM python:3.13.9-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8

FROM base AS build
WORKDIR /src
COPY requirements-bootstrap.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements-bootstrap.lock \
 && python -m venv --without-pip /opt/bandian \
 && uv pip install --no-cache --compile-bytecode --python /opt/bandian/bin/python \
        --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY gateway gateway
COPY adapters adapters
RUN python -m hatchling build -t wheel -d /wheels \
 && uv pip install --no-cache --compile-bytecode --python /opt/bandian/bin/python --no-deps /wheels/*.whl

FROM base AS gateway
RUN groupadd --gid 10001 bandian \
 && useradd --uid 10001 --gid bandian --no-create-home --home-dir /var/lib/bandian --shell /usr/sbin/nologin bandian \
 && install -d -o bandian -g bandian -m 0755 /var/lib/bandian /var/lib/bandian/trust /var/lib/bandian/mock \
        /var/lib/bandian/trust-parts /var/lib/bandian/roster /run/bandian /run/bandian/database /run/bandian/postgres /run/bandian/platform /run/bandian/webhooks \
 && install -d -o bandian -g bandian -m 0700 /var/lib/bandian/keys /var/lib/bandian/heads
COPY --from=build /opt/bandian /opt/bandian
ENV PATH=/opt/bandian/bin:$PATH
WORKDIR /var/lib/bandian
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["bandian"]
CMD ["serve"]

FROM gateway AS mocks
COPY mock_services /opt/mocks/mock_services
ENV PYTHONPATH=/opt/mocks
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/__admin/faults', timeout=2)"]
ENTRYPOINT ["python", "-m"]
CMD ["mock_services.provincial_platform", "--host", "0.0.0.0", "--port", "8080"]
