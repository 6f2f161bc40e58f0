# The bot alone: no engine, no demo, no tests. See docs/deploy.md.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY bot bot
COPY handlers handlers
COPY jobs jobs
COPY imaging imaging
COPY storage storage
RUN /venv/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data darkroom && install -d -o darkroom -g darkroom /data
COPY --from=build /venv /venv
# In a container the web side always listens, in polling mode too: the health check asks it.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DARKROOM_DATABASE_URL=sqlite:////data/darkroom.db \
    DARKROOM_HTTP_HOST=0.0.0.0 \
    DARKROOM_HTTP_PORT=8080 \
    DARKROOM_LOG_FORMAT=json
USER darkroom
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['DARKROOM_HTTP_PORT'] + '/healthz', timeout=3)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["darkroom"]
CMD ["run"]
