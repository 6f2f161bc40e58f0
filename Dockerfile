# Two images: `bot` (the default target) and `engine`. No demo, no tests. See docs/deploy.md.
FROM python:3.11-slim AS build
WORKDIR /src
# Without pip of its own: nothing is installed in a running container.
RUN python -m venv --without-pip /venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY imaging imaging

FROM build AS build-engine
# What the engine imports, without the bot's half: 130 MB less than '.[engine]'.
RUN pip --python /venv/bin/python install --no-cache-dir -c constraints.txt aiohttp numpy opencv-python-headless \
    pillow pillow-heif pydantic python-multipart starlette uvicorn yarl
COPY engine engine
RUN pip --python /venv/bin/python install --no-cache-dir -c constraints.txt --no-deps .

FROM build AS build-bot
COPY bot bot
COPY handlers handlers
COPY jobs jobs
COPY storage storage
RUN pip --python /venv/bin/python install --no-cache-dir -c constraints.txt .

FROM python:3.11-slim AS base
RUN useradd --system --uid 10001 --home-dir /data darkroom && install -d -o darkroom -g darkroom /data
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1
USER darkroom
WORKDIR /data
STOPSIGNAL SIGTERM

FROM base AS engine
COPY --from=build-engine /venv /venv
EXPOSE 8480
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", \
    "import urllib.request as u; u.urlopen('http://127.0.0.1:8480/healthz', timeout=3)"]
ENTRYPOINT ["python", "-m", "engine", "--host", "0.0.0.0"]

FROM base AS bot
COPY --from=build-bot /venv /venv
# In a container the web side always listens, in polling mode too: the health check asks it.
ENV DARKROOM_DATABASE_URL=sqlite:////data/darkroom.db \
    DARKROOM_HTTP_HOST=0.0.0.0 \
    DARKROOM_HTTP_PORT=8080 \
    DARKROOM_LOG_FORMAT=json
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['DARKROOM_HTTP_PORT'] + '/healthz', timeout=3)"]
ENTRYPOINT ["darkroom"]
CMD ["run"]
