#!/bin/sh
# One PostgreSQL for tests: `start` prints its URL, `stop` removes it.
# It runs as an unprivileged user, keeps everything in one temporary folder, and syncs nothing.
#
#   export UME_TEST_POSTGRES=$(tests/postgres.sh start)
#   cargo test -p store
#   tests/postgres.sh stop
set -eu

marker=${UME_TEST_POSTGRES_MARKER:-${TMPDIR:-/tmp}/ume-postgres.$(id -u)}

binaries() {
    ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1
}

# Runs a command as the server's user: PostgreSQL refuses to run as root.
as_user() {
    if [ "$(id -u)" = 0 ]; then
        runuser -u umetest -- "$@"
    else
        "$@"
    fi
}

free_port() {
    port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
    while grep -qi ":$(printf %04X "$port") " /proc/net/tcp; do port=$((port + 1)); done
    echo "$port"
}

start() {
    if [ -s "$marker" ] && [ -d "$(sed -n 1p "$marker")" ]; then
        echo "already running; stop it first: $marker" >&2
        exit 1
    fi
    if [ -z "$(binaries)" ] || [ ! -x "$(binaries)/initdb" ]; then
        sudo=''
        [ "$(id -u)" = 0 ] || sudo=sudo
        $sudo apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends postgresql >&2
    fi
    if [ "$(id -u)" = 0 ] && ! id umetest >/dev/null 2>&1; then
        useradd --system --no-create-home --shell /usr/sbin/nologin umetest
    fi
    bin=$(binaries)
    dir=$(mktemp -d "${TMPDIR:-/tmp}/ume-postgres-XXXXXX")
    # From here on a failure must not leave a folder or a server behind.
    trap 'cat "$dir"/*.log >&2 2>/dev/null || true; remove "$dir"' EXIT
    [ "$(id -u)" = 0 ] && chown umetest "$dir"
    cd "$dir"
    # A locale whose order differs from bytes shows queries that lean on the collation.
    as_user "$bin/initdb" -D "$dir/data" -U ume -A trust -E UTF8 --locale-provider=icu \
        --icu-locale=ja-JP --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1
    tries=0
    while :; do
        port=$(free_port)
        options="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$dir"
        options="$options -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        as_user "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 30 -o "$options" start \
            >"$dir/ctl.log" 2>&1 && break
        tries=$((tries + 1))
        [ "$tries" -lt 3 ] || exit 1
    done
    trap - EXIT
    url="postgres://ume@127.0.0.1:$port/postgres?sslmode=disable"
    printf '%s\n%s\n' "$dir" "$url" >"$marker"
    echo "$url"
}

remove() {
    bin=$(binaries)
    if [ -f "$1/data/postmaster.pid" ]; then
        as_user "$bin/pg_ctl" -D "$1/data" -m immediate -w stop >/dev/null 2>&1 || true
    fi
    case $1 in
    */ume-postgres-*) rm -rf -- "$1" ;;
    esac
}

stop() {
    if [ ! -s "$marker" ]; then
        echo "not running" >&2
        exit 0
    fi
    cd /
    remove "$(sed -n 1p "$marker")"
    rm -f -- "$marker"
}

# The running server goes away and comes back at the same address: what `pause` and `resume` drive.
pause() {
    dir=$(sed -n 1p "$marker")
    cd "$dir"
    as_user "$(binaries)/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null
}

resume() {
    dir=$(sed -n 1p "$marker")
    cd "$dir"
    port=$(sed -n 2p "$marker" | sed 's/.*:\([0-9]*\)\/.*/\1/')
    options="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$dir"
    options="$options -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    as_user "$(binaries)/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 30 -o "$options" start \
        >/dev/null
}

case ${1:-} in
start | stop | pause | resume) "$1" ;;
*)
    echo "usage: $0 start|stop|pause|resume" >&2
    exit 2
    ;;
esac
