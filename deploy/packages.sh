# What weir needs from Debian 12 or 13, in one place, and the one way to install it. Sourced by deploy/quickstart.sh
# and tests/run.sh; the container file and the documents are checked against these lists by tests/tidy.
# POSIX sh; the caller runs with `set -eu`.

# Compilers and tools of the build.
weir_packages_tools='g++ meson ninja-build pkg-config protobuf-compiler'
# Libraries, with their headers.
weir_packages_libraries='libspdlog-dev libssl-dev libsimdjson-dev nlohmann-json3-dev libsqlite3-dev libprotobuf-dev
 libyaml-cpp-dev libre2-dev libcurl4-openssl-dev libboost-dev libcli11-dev prometheus-cpp-dev
 libhowardhinnant-date-dev libnats-dev librdkafka-dev'
# What a running weir wants: Python for lightweight components, zones for schedules, roots for pip's TLS.
weir_packages_running='python3 python3-venv tzdata ca-certificates'
# What only the tests want. nats-server's package has a service: its start is forbidden while it is installed (below).
weir_packages_tests='catch2 ccache nats-server default-jre-headless maven python3-yaml'
# What only the long tier wants: the planted defects are patches.
weir_packages_long='patch'

# Why a package is needed, in a few words.
weir_why_package() {
    case $1 in
    g++) echo 'the C++20 compiler' ;;
    meson | ninja-build) echo 'the build' ;;
    pkg-config) echo 'finds the libraries' ;;
    protobuf-compiler | libprotobuf-dev) echo 'the wire form of events' ;;
    libspdlog-dev) echo 'logs' ;;
    libssl-dev) echo 'digests' ;;
    libsimdjson-dev) echo 'reads JSON' ;;
    nlohmann-json3-dev) echo 'writes JSON' ;;
    libsqlite3-dev) echo 'the ledger and the embedded bus' ;;
    libyaml-cpp-dev) echo 'reads trigger and flow documents' ;;
    libre2-dev) echo 'regular expressions of CEL' ;;
    libcurl4-openssl-dev) echo 'HTTP: the command line, Kubeflow' ;;
    libboost-dev) echo 'the HTTP server' ;;
    libcli11-dev) echo 'the command line' ;;
    prometheus-cpp-dev) echo '/metrics' ;;
    libhowardhinnant-date-dev) echo 'time zones of schedules' ;;
    libnats-dev) echo 'the NATS bus' ;;
    librdkafka-dev) echo 'the Kafka bus' ;;
    tzdata) echo 'the time zones themselves' ;;
    python3) echo 'runs Python components' ;;
    python3-venv) echo 'environments of Python components' ;;
    ca-certificates) echo 'TLS of pip' ;;
    catch2) echo 'the unit tests' ;;
    ccache) echo 'the builds of the tests share their objects' ;;
    nats-server) echo 'the NATS bus under test' ;;
    default-jre-headless) echo 'runs the Kafka broker under test' ;;
    python3-yaml) echo 'the Kubeflow Pipelines server of the tests reads pipelines' ;;
    maven) echo 'fetches the Kafka broker under test' ;;
    patch) echo 'applies the planted defects' ;;
    clang-format) echo 'the style check' ;;
    *) echo 'used here' ;;
    esac
}

# Prints those of the given packages that are not installed.
weir_missing_packages() {
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

# True if apt's lists know every given package.
weir_apt_knows() {
    for package in "$@"; do
        apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]' || return 1
    done
}

# Installs what is missing of the given packages, saying what and why. Without root rights: prints the line to run
# and returns 1. On a system without apt it says what is wanted and goes on: the build then names what it lacks.
weir_install() {
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        echo "This is not Debian; weir needs what Debian calls: $*"
        return 0
    fi
    missing=$(weir_missing_packages "$@")
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086  # one word per package
    set -- $missing
    if [ "$(id -u)" -ne 0 ]; then
        echo "Missing packages, and no right to install them. As root, run:"
        echo
        echo "    apt-get update && apt-get install -y --no-install-recommends $*"
        echo
        echo "and then this command again."
        return 1
    fi
    echo "Installing $# packages that are missing:"
    for package in "$@"; do
        printf '    %-28s %s\n' "$package" "$(weir_why_package "$package")"
    done
    weir_apt_log=$(mktemp)
    if ! weir_apt_install "$@"; then
        echo "apt-get failed; the end of its output:"
        tail -n 25 "$weir_apt_log"
        rm -f "$weir_apt_log"
        return 1
    fi
    rm -f "$weir_apt_log"
    echo "Installed."
}

# The package lists are fetched only where a package is unknown, or known in a version that is gone.
weir_apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    # No service is started by an installation.
    export SYSTEMD_OFFLINE=1
    if ! weir_apt_knows "$@"; then
        echo "Fetching Debian's package lists ..."
        apt-get update >"$weir_apt_log" 2>&1 || return 1
    fi
    weir_apt_get_install "$@" && return 0
    echo "Trying once more with fresh package lists ..."
    apt-get update >"$weir_apt_log" 2>&1 || return 1
    weir_apt_get_install "$@"
}

# Runs the installation with its output in the log, and a line of progress every few seconds.
weir_apt_get_install() {
    apt-get install -y --no-install-recommends "$@" >>"$weir_apt_log" 2>&1 </dev/null &
    weir_apt_pid=$!
    weir_apt_ticks=0
    while kill -0 "$weir_apt_pid" 2>/dev/null; do
        sleep 1
        weir_apt_ticks=$((weir_apt_ticks + 1))
        if [ $((weir_apt_ticks % 10)) -eq 0 ]; then
            echo "    ${weir_apt_ticks} s: $(grep -c '^Setting up ' "$weir_apt_log" || true) of $(
                sed -n 's/^[0-9]* upgraded, \([0-9]*\) newly installed.*/\1/p' "$weir_apt_log" | tail -n 1
            ) packages set up, with what they depend on"
        fi
    done
    wait "$weir_apt_pid"
}
