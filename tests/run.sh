#!/bin/sh
# Installs what is missing, configures, builds and runs all tests; ends with "N passed, N failed".
set -eu

usage() {
    cat <<'TEXT'
usage: sh tests/run.sh [--suite NAME]... [--sanitize | --minimal] [--long] [--build-only] [--help]

  --suite NAME   only this suite: unit, contract, sim, system, broker, tidy, long (may be repeated)
  --sanitize     address and undefined-behaviour sanitizers over unit, contract and sim, in build-sanitize/
  --minimal      a build without any optional adapter and its unit suite, in build-minimal/
  --long         the long tier too: thousands of seeds, long kill loops, planted defects (hours, not minutes)
  --build-only   stop after the build

Builds in build/ beside the sources. Without root rights nothing is installed: the line to run is printed instead.
Python environments with the kfp SDK are kept in WEIR_KFP_VENV and WEIR_KFP_VENV-oldest, one with a maker of API clients in WEIR_CLIENT_VENV, the message brokers of the suites broker and long in
WEIR_BROKERS_CACHE (default: weir/ in the user's cache folder); both are fetched once.
Set CXX, or have ccache installed, and meson uses it. The last line is always "N passed, N failed"; a skipped test
counts as failed. Exit status: 0 all passed, 1 not, 2 wrong use.
TEXT
}

suites=''
long=no
sanitize=no
minimal=no
build_only=no
while [ $# -gt 0 ]; do
    case $1 in
    --suite)
        [ $# -ge 2 ] || { echo 'run.sh: --suite wants a name' >&2; exit 2; }
        case $2 in
        unit | contract | sim | system | broker | tidy) suites="$suites $2" ;;
        long) suites="$suites $2" && long=yes ;;
        *) echo "run.sh: no suite '$2'; there are unit, contract, sim, system, broker, tidy, long" >&2; exit 2 ;;
        esac
        shift
        ;;
    --long) long=yes ;;
    --sanitize) sanitize=yes ;;
    --minimal) minimal=yes ;;
    --build-only) build_only=yes ;;
    --help | -h) usage; exit 0 ;;
    *) echo "run.sh: unknown option '$1'" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. deploy/packages.sh
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

started=$(date +%s)
say() { echo "== $(($(date +%s) - started)) s: $*"; }
# Ends the run before any test could count.
give_up() {
    say "$1"
    echo '0 passed, 1 failed'
    exit 1
}

# Line numbers are what a failing test needs; whole debug information is a third of a build's time, optimizing (-O1) another 28 %.
lines='-Dcpp_args=-g1'
plain="-Dbuildtype=debug -Doptimization=0 $lines"
adapters='-Dnats=enabled -Dkafka=enabled -Dkubeflow=enabled'
[ "$sanitize$minimal" != yesyes ] || { echo 'run.sh: --sanitize or --minimal, not both' >&2; exit 2; }
if [ "$minimal" = yes ]; then
    build=build-minimal
    : "${suites:=unit}"
    options="$plain -Dnats=disabled -Dkafka=disabled -Dkubeflow=disabled -Dpostgres=disabled"
elif [ "$sanitize" = yes ]; then
    build=build-sanitize
    : "${suites:=unit contract sim}"
    options="-Dbuildtype=debug $lines -Db_sanitize=address,undefined -Db_lundef=false"
else
    build=build
    : "${suites:=unit contract sim system broker tidy}"
    options=$plain
fi
# What the tests must not do without is asked for by name; it is installed below.
[ "$minimal" = yes ] || options="$options $adapters"
[ "$long" = no ] || case " $suites " in *' long '*) ;; *) suites="$suites long" ;; esac

# --- packages
# shellcheck disable=SC2086  # the lists are words
set -- $weir_packages_tools $weir_packages_libraries $weir_packages_running $weir_packages_tests
# shellcheck disable=SC2086
[ "$long" = no ] || set -- "$@" $weir_packages_long
weir_install "$@" || give_up 'packages are missing'

# --- the kfp SDK, for the tests that compile and run its pipelines: the one weir is built with, and the oldest it takes
kfp_venv=${WEIR_KFP_VENV:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/weir/kfp}
make_venv() { # FOLDER REQUIREMENTS
    cmp -s "$2" "$1/requirements.txt" && return 0
    say "making a Python environment of $2 in $1 ..."
    rm -rf "$1"
    mkdir -p "$(dirname "$1")"
    pip_log=$(mktemp)
    if ! { python3 -m venv "$1" &&
        "$1/bin/python" -m pip install --disable-pip-version-check -r "$2"; } >"$pip_log" 2>&1; then
        tail -n 25 "$pip_log"
        give_up "what $2 names could not be installed; pip needs its package index"
    fi
    rm -f "$pip_log"
    cp "$2" "$1/requirements.txt"
}
make_venv "$kfp_venv" tests/data/kfp-requirements.txt
make_venv "$kfp_venv-oldest" tests/data/kfp-oldest-requirements.txt
# One more, with what makes a client from the API's own description.
make_venv "${WEIR_CLIENT_VENV:-$(dirname "$kfp_venv")/client}" tests/data/client-requirements.txt
WEIR_CLIENT_PYTHON="${WEIR_CLIENT_VENV:-$(dirname "$kfp_venv")/client}/bin/python"
export WEIR_CLIENT_PYTHON
export WEIR_KFP_PYTHON="$kfp_venv/bin/python" WEIR_KFP_OLDEST_PYTHON="$kfp_venv-oldest/bin/python"

# --- the brokers
case " $suites " in
*' broker '* | *' long '*)
    say 'looking for the brokers ...'
    # Progress goes to stderr; the last line is "export WEIR_BROKERS=FILE".
    brokers_said=$(python3 tests/support/brokers/fetch.py) || give_up 'the brokers could not be had'
    WEIR_BROKERS=${brokers_said#export WEIR_BROKERS=}
    export WEIR_BROKERS
    ;;
esac

# --- configure and build
# ccache: the same sources in another folder are the same objects; without the adapters nearly all are those of the plain build.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
if [ ! -f "$build/build.ninja" ]; then
    say "configuring $build ..."
    setup_log=$(mktemp)
    # shellcheck disable=SC2086
    meson setup "$build" $options -Dwerror=true --wrap-mode=nodownload >"$setup_log" 2>&1 || {
        tail -n 25 "$setup_log"
        rm -rf "$build"
        give_up 'the configuration failed'
    }
    rm -f "$setup_log"
elif [ "$minimal" = no ]; then
    # A folder of before may know other adapters.
    # shellcheck disable=SC2086
    meson configure "$build" $adapters >/dev/null || give_up 'the configuration failed'
fi
say "building $build ..."
export NINJA_STATUS='[%f/%t, %e s] '
wanted=''
if [ "$sanitize$minimal" != nono ]; then
    # shellcheck disable=SC2086
    wanted=$(python3 tests/results.py targets "$build" $suites)
fi
[ "$minimal" = no ] || wanted="$wanted src/app/weir"
# shellcheck disable=SC2086
ninja -C "$build" -k 20 $wanted || give_up 'the build failed'
[ "$build_only" = no ] || { say 'built'; exit 0; }

# --- test
say "running the tests: $suites"
set --
for suite in $suites; do set -- "$@" --suite "$suite"; done
if [ "$long" = yes ]; then
    export WEIR_LONG=1
    set -- "$@" --timeout-multiplier 60
else
    set -- "$@" --no-suite long
fi
[ "$sanitize" = no ] || set -- "$@" --timeout-multiplier 4
export ASAN_OPTIONS='detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:check_initialization_order=1'
export UBSAN_OPTIONS='halt_on_error=1:print_stacktrace=1'
rm -f "$build/meson-logs/testlog.json"
meson test -C "$build" --no-rebuild --num-processes 2 --timeout-multiplier 10 "$@" </dev/null || true
say 'done; counting test cases'
# shellcheck disable=SC2086
exec python3 tests/results.py count "$build" $suites
