# Any Debian 12.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config libmicrohttpd-dev libjson-c-dev libconfig-dev libpq-dev libseccomp-dev libcap-dev \
        libssl-dev \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
WORKDIR /source
COPY . .
RUN cmake -G Ninja -B /build -DCMAKE_BUILD_TYPE=Release -DTUPLECAST_TESTS=OFF \
        -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_SYSCONFDIR=/etc \
    && ninja -C /build \
    && DESTDIR=/image cmake --install /build --strip

FROM ${BASE}
LABEL org.opencontainers.image.title="tuplecast" \
      org.opencontainers.image.description="PostgreSQL row changes, cast to every browser" \
      org.opencontainers.image.licenses="MIT"
# ca-certificates: for sslmode=verify-full with a database whose certificate a public authority signed.
RUN apt-get update && apt-get install -y --no-install-recommends \
        libmicrohttpd12 libjson-c5 libconfig9 libpq5 libseccomp2 libcap2 libssl3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY --from=build /image /
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
ENV TUPLECAST_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["tuplecast", "ready"]
ENTRYPOINT ["tuplecast"]
CMD ["serve"]
