# A node in a container, from the same lock file as everywhere:  docker build -t huzhu .
# The home is the volume; keys may lie under a passphrase that HUZHU_PASSPHRASE or a secret brings.

FROM debian:12-slim AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends make python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/huzhu
COPY . .
RUN make venv

FROM debian:12-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates fonts-noto-cjk libharfbuzz-subset0 libpangoft2-1.0-0 python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 830 --home-dir /var/lib/huzhu --create-home huzhu
COPY --from=build /opt/huzhu /opt/huzhu
ENV PATH=/opt/huzhu/.venv/bin:$PATH HUZHU_HOME=/var/lib/huzhu/home LANG=C.UTF-8
USER huzhu
VOLUME /var/lib/huzhu
EXPOSE 8300
ENTRYPOINT ["huzhu"]
CMD ["serve"]
