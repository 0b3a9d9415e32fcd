# One image for the relay and for the nodes: what a container is, its command says.
FROM python:3.11-slim AS build
WORKDIR /src
# The lock also holds the tools of development. All of it is fetched as wheels and checked against its hashes;
# the second pip has no network to choose from and takes of the checked wheels only what running needs.
COPY requirements.lock ./
RUN pip download --no-cache-dir --only-binary :all: --require-hashes -r requirements.lock --dest /wheels
COPY LICENSE pyproject.toml ./
COPY exchange exchange
COPY keys keys
COPY schemas schemas
RUN python -m venv /opt/cbm \
    && /opt/cbm/bin/pip install --no-cache-dir --no-index --find-links /wheels .

FROM python:3.11-slim
# The data folder is made here so that a new volume takes its owner and mode.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin cbm \
    && install --directory --owner cbm --group cbm --mode 0700 /data
COPY --from=build /opt/cbm /opt/cbm
# No byte code is written, so that the root file system can be mounted read-only.
ENV PATH=/opt/cbm/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
ENTRYPOINT ["cbm"]
CMD ["--help"]
