# shellcheck shell=bash
# A throw-away Debian in a folder, started with systemd or without, for the tests of the package and the container.
#
# It has a network of its own with nothing but a loopback device, so ports and host are not touched. To be sourced; it
# needs root, mmdebstrap, systemd-nspawn and unshare. Where a machine lets nobody boot systemd (a container without
# control groups), `boots` fails, and where it lets nobody make namespaces, `isolates` does; both say why.

readonly SUITE=bookworm
readonly PACKAGES=adduser,ca-certificates,curl,gosu,logrotate,procps,python3-pika,systemd-sysv,tzdata

((EUID == 0)) || { echo "$0 needs root" >&2; exit 2; }

# A mount namespace of our own, so that what is mounted goes away with us whatever happens.
if [[ -z ${LEVERET_MOUNTS-} ]] && unshare --mount true 2>/dev/null; then
    LEVERET_MOUNTS=own exec unshare --mount --propagation=private -- bash "$0" "$@"
fi

started='' leader='' folder=''
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/leveret-packaging.XXXXXX")
# Unpacking is several times as fast in memory; it takes 0.6 GB at most.
if [[ ${LEVERET_MOUNTS-} ]] && (($(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo) > 3000000)); then
    mount -t tmpfs -o size=2g,mode=0755 leveret-packaging "$scratch" 2>/dev/null || true
fi
trap clean_up EXIT
trap 'exit 143' INT TERM HUP

clean_up() {
    local status=$?
    ((status == 0)) || show_logs || true
    [[ -z $started ]] || stop_machine
    mountpoint --quiet "$scratch" && umount --lazy "$scratch"
    rm -rf --one-file-system "$scratch"
    exit "$status"
}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

say() { echo "-- $* ($SECONDS s)"; }

# unpacked FOLDER: a Debian with PACKAGES, made once a week.
unpacked() {
    # One of other packages is another one.
    local cache=${CARGO_TARGET_DIR:-target}/packaging/$SUITE-$(cksum <<<"$PACKAGES" | cut -d' ' -f1).tar
    if [[ ! -s $cache || -n $(find "$cache" -mtime +7) ]]; then
        mkdir -p "${cache%/*}"
        say "a Debian for it, once a week"
        # What the name ends in decides what is made.
        local new=${cache%.tar}.new.tar options=()
        [[ ${LEVERET_MOUNTS-} ]] || options+=(--skip=check/canmount)
        TMPDIR=$scratch mmdebstrap --quiet --variant=apt --include="$PACKAGES" --aptopt='Acquire::Retries "5"' \
            --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt=force-unsafe-io "${options[@]}" "$SUITE" "$new"
        mv "$new" "$cache"
    fi
    folder=$1
    mkdir -p "$1"
    tar -C "$1" -xf "$cache"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
}

# boots FOLDER: starts systemd in it, and waits until it is up. Nothing of ours is in it then: a failure is the host's.
boots() {
    systemd-nspawn --quiet --boot --directory="$1" --private-network --register=no --keep-unit --link-journal=no \
        --console=pipe --hostname=hare </dev/null >"$scratch/boot.log" 2>&1 &
    started=$!
    for _ in {1..600}; do
        leader=$(pgrep --parent "$started" || true)
        case $([[ -z $leader ]] || inside systemctl is-system-running 2>/dev/null) in
        running | degraded) return ;;
        esac
        kill -0 "$started" 2>/dev/null || break
        sleep 0.2
    done
    stop_machine
    echo "NOT RUN: systemd cannot be booted on this machine: $(grep -v '^$' "$scratch/boot.log" | tail -3)"
    return 1
}

# isolates: whether machines without systemd can be started.
isolates() {
    local reason
    reason=$(unshare --mount --pid --net --uts --ipc --fork --kill-child --propagation=private \
        sh -c 'mount -t proc proc /proc && mount -t tmpfs tmpfs /mnt && ip link set lo up' 2>&1) && return
    echo "NOT RUN: no namespaces can be made on this machine: $reason"
    return 1
}

# isolated FOLDER: starts a machine without systemd, in which nothing runs.
isolated() {
    mkdir -p "$1/proc" "$1/dev" "$1/sys"
    unshare --mount --pid --net --uts --ipc --fork --kill-child --propagation=private bash -c '
        hostname hare
        # What is mounted can be made read only later.
        mount --bind "$1" "$1"
        mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/dev"
        for device in null zero full random urandom tty; do
            touch "$1/dev/$device" && mount --bind "/dev/$device" "$1/dev/$device"
        done
        ln -s /proc/self/fd "$1/dev/fd"
        mkdir -m 1777 "$1/dev/shm"
        mkdir "$1/dev/pts"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
        ln -s pts/ptmx "$1/dev/ptmx"
        ip link set lo up
        # The first process of a machine takes in the orphans.
        exec chroot "$1" /bin/bash -c "trap : CHLD; while :; do sleep 1 & wait; done"
    ' bash "$1" >"$scratch/isolated.log" 2>&1 &
    started=$!
    for _ in {1..100}; do
        leader=$(pgrep --parent "$started" || true)
        # The shell has become the one in the folder.
        [[ -n $leader && $(readlink "/proc/$leader/root") == "$(realpath "$1")" ]] && return
        sleep 0.1
    done
    fail "the machine does not start: $(cat "$scratch/isolated.log")"
}

# inside COMMAND...: runs it as root in the started machine, or, where none is, in the root of the one that was unpacked
# last; with nothing of this environment.
inside() {
    local enter=(nsenter --target "$leader" --all --root --wd --)
    [[ $leader ]] || enter=(chroot "$folder")
    "${enter[@]}" env -i \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}

stop_machine() {
    # Its first process cannot outlive this, and nothing in it can outlive its first process.
    [[ $leader ]] && kill -KILL "$leader" 2>/dev/null || kill -KILL "$started" 2>/dev/null || true
    wait "$started" 2>/dev/null || true
    started='' leader=''
}

# eventually SECONDS COMMAND...: repeats it until it succeeds.
eventually() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || fail "not in time: $*"
        sleep 0.2
    done
}

# same WHAT EXPECTED FOUND
same() { [[ $2 == "$3" ]] || fail "$1: expected '$2', found '$3'"; }

# contains WHAT TEXT PART
contains() { [[ $2 == *"$3"* ]] || fail "$1: no '$3' in: $2"; }

# exits CODE COMMAND...: runs it inside.
exits() {
    local expected=$1 status=0 output
    shift
    output=$(inside "$@" 2>&1) || status=$?
    ((status == expected)) || fail "exit code $status instead of $expected: $*: $output"
}
