#!/bin/sh
# build.sh: unpacks PicoClaw's source, registers provider "plm" in it, and tests or builds it.
#   build.sh SOURCE.tar.gz WORK test     vet and test the provider
#   build.sh SOURCE.tar.gz WORK agent    build WORK/picoclaw-plm (minutes)
#   build.sh SOURCE.tar.gz WORK small    build WORK/picoclaw-small: without the chat networks, but the web's
#   build.sh SOURCE.tar.gz WORK source   only unpack and patch
# Dependencies come over the Go module proxy; nothing outside WORK is written (but Go's caches).
set -eu

archive=${1:?usage: build.sh SOURCE.tar.gz WORK test|agent|small|source}
work=${2:?usage: build.sh SOURCE.tar.gz WORK test|agent|small|source}
what=${3:-agent}
here=$(cd "$(dirname "$0")" && pwd)
[ -r "$archive" ] || { echo "SKIP: no PicoClaw source at $archive"; exit 0; }
command -v go >/dev/null || { echo "SKIP: go is not installed"; exit 0; }
mkdir -p "$work"
work=$(cd "$work" && pwd)

# The source as it came, once; and a fresh copy of the provider that points at it.
if [ ! -f "$work/src/.unpacked" ]; then
    rm -rf "$work/src"
    mkdir -p "$work/src"
    tar -xzf "$archive" -C "$work/src"
    touch "$work/src/.unpacked"
fi
rm -rf "$work/provider"
mkdir -p "$work/provider"
cp "$here"/*.go "$here/go.mod" "$work/provider/"
cd "$work/provider"
go mod edit -replace "github.com/sipeed/picoclaw=$work/src" -replace "plm.local/clients/go=$(dirname "$here")"

export CGO_ENABLED=0
export GOFLAGS="-mod=mod -buildvcs=false"
if [ "$what" = test ]; then
    go vet ./...
    go test ./...
    GOARCH=386 go vet ./...
    exit
fi

rm -rf "$work/agent"
cp -R "$work/src" "$work/agent"
cd "$work/agent"
patch -p1 -s <"$here/register.patch"
go mod edit -require plm.local/clients/go/picoclaw@v0.0.0 -require plm.local/clients/go@v0.0.0 \
    -replace "plm.local/clients/go/picoclaw=$work/provider" -replace "plm.local/clients/go=$(dirname "$here")"
[ "$what" = source ] && exit
out=$work/picoclaw-plm
if [ "$what" = small ]; then
    out=$work/picoclaw-small
    sed -i '/_ "github.com\/sipeed\/picoclaw\/pkg\/channels\//{/channels\/pico"/!d}' pkg/gateway/gateway.go
    rm pkg/gateway/channel_matrix.go
fi
go build -tags goolm,stdjson -ldflags "-s -w" -o "$out" ./cmd/picoclaw
echo "$out"
