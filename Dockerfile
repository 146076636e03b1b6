# The worker and the command line. Build context: the repository. Not built on the machine where it was written (no Docker there).
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/portrait
COPY requirements.lock ./
RUN /opt/portrait/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml LICENSE ./
COPY schemas schemas
COPY language language
COPY portrait portrait
COPY profile_store profile_store
COPY streams streams
COPY oracle oracle
COPY cli cli
COPY bench bench
RUN /opt/portrait/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin portrait
COPY --from=build /opt/portrait /opt/portrait
ENV PATH=/opt/portrait/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER portrait
WORKDIR /tmp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('PORTRAIT_HTTP_PORT', '6066')}/livez\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["portrait"]
CMD ["worker"]
