# A static program in an empty image: no shell, no package, not root.
#
#   docker build -t airplay2mqtt .
#   docker run --network host --read-only --cap-drop ALL --cap-add NET_BIND_SERVICE \
#     -v ./media:/media:ro -v airplay2mqtt:/data airplay2mqtt
#
# Host networking is what lets it find speakers by multicast and be reached by
# them; docs/devices.md tells which ports that takes.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG TARGETOS TARGETARCH TARGETVARIANT
# Folders in the last image belong to the user that runs there. AirPlay 2 keeps time
# by ports that only who has this capability may open.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/bridge ./cmd/bridge \
 && setcap cap_net_bind_service=+ep /out/bridge \
 && mkdir /out/data /out/media /out/chimes /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/bridge /bridge
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/media /media
COPY --from=build --chown=65532:65532 /out/chimes /chimes
COPY --from=build --chown=65532:65532 /out/tmp /tmp
# The defaults ./media, ./chimes, ./data and ./config.yaml lie here.
WORKDIR /
USER 65532:65532
VOLUME /data
# It asks the way that commands take: over the broker, and through the bridge.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["/bridge", "health"]
ENTRYPOINT ["/bridge"]
