# Builds the wheel for the image that it will run in, and hands it out (docs/deploying.md):
#
#     docker build --output wheels .
#
# PYTHON is the tag of that image.
ARG PYTHON=3.13-slim

FROM rust:1-slim AS rust

FROM python:${PYTHON} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=rust /usr/local/rustup /usr/local/rustup
ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:$PATH
WORKDIR /src
COPY . .
RUN MATURIN_PEP517_ARGS=--locked pip wheel --no-deps --wheel-dir /wheels .

FROM scratch
COPY --from=build /wheels /
