# Built in two stages: the second holds Python, Uptake and nothing that builds it.

FROM python:3.13-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/uptake
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY src ./src
# Compiled now: the user that runs it may not write there. Litestar requires polyfactory and faker
# (25 MB), and imports them only to invent examples, which Uptake does not use.
RUN /opt/uptake/bin/pip install --no-cache-dir --disable-pip-version-check --compile \
        --constraint requirements.lock . \
    && /opt/uptake/bin/pip uninstall --yes --quiet faker polyfactory pip

FROM python:3.13-slim-bookworm
RUN groupadd --gid 10001 uptake \
    && useradd --uid 10001 --gid uptake --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin uptake \
    && install --directory --owner=uptake --group=uptake --mode=700 /data
COPY --from=build /opt/uptake /opt/uptake
ENV PATH=/opt/uptake/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    UPTAKE_DATA_DIR=/data \
    UPTAKE_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('UPTAKE_PORT') or 8000}/health/ready\", timeout=4)"]
# `uptake` is the first process and gets the signals itself: SIGTERM lets requests finish.
ENTRYPOINT ["uptake"]
CMD ["serve"]
