# The `keyward` binary in an image without a shell: `docker compose build api`.
#
# The distribution is the same in both stages: the binary needs that version of its C library.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive the layer, so that a change of the sources builds only those.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin keyward \
    && cp target/release/keyward /keyward

# With the certificates of public authorities, for key sets and databases behind TLS.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /keyward /usr/local/bin/keyward
ENV LISTEN_ADDR=0.0.0.0:8000
EXPOSE 8000
# Nothing is written to the file system: SQLite is for a volume, if it is used at all.
# nonroot, as a number, which Kubernetes can check.
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["/usr/local/bin/keyward", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/keyward"]
CMD ["serve"]
