# A static program in an empty image: no shell, no package, not root.
#
#   docker build -t airplay2mqtt .
#   docker run --network host --read-only -v ./media:/media:ro -v airplay2mqtt:/data airplay2mqtt
#
# Host networking is what lets it find speakers by multicast and be reached by
# them; docs/devices.md tells which ports that takes.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG TARGETOS TARGETARCH TARGETVARIANT
# Folders in the last image belong to the user that runs there.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/bridge ./cmd/bridge \
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
ENTRYPOINT ["/bridge"]
