#!/bin/sh
# From a fresh Debian 12 or 13 to a running chain of flows: installs what is missing, builds weir, and shows it at work.
set -eu

usage() {
    cat <<'TEXT'
usage: sh deploy/quickstart.sh [--keep] [--port N] [--weir PATH] [--help]

Installs what is missing (saying what), builds weir in build-release/, starts `weir dev` on a fresh data folder, lets
two files land in a watched folder and follows the chain of flows they set off (flows/examples). A second call takes
seconds. Without root rights it prints the line that installs what is missing, and stops.

  --keep        leave weir running afterwards, and say how to stop it
  --port N      port of the HTTP API on 127.0.0.1 (default 9347; 0: any free one)
  --weir PATH   use this program: install and build nothing
TEXT
}

keep=no
port=9347
weir=''
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=yes ;;
    --port | --weir)
        [ $# -ge 2 ] || { echo "quickstart.sh: $1 wants a value" >&2; exit 2; }
        if [ "$1" = --port ]; then port=$2; else weir=$2; fi
        shift
        ;;
    --help | -h) usage; exit 0 ;;
    *) echo "quickstart.sh: unknown option '$1'" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
case $port in '' | *[!0-9]*) echo "quickstart.sh: --port wants a number, not '$port'" >&2; exit 2 ;; esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
case $weir in '' | /*) ;; *) weir=$PWD/$weir ;; esac
cd "$root"
. deploy/packages.sh
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

started=$(date +%s)
say() {
    echo
    echo "== $(($(date +%s) - started)) s: $*"
}

# Builds the product alone, with a line of progress every few seconds.
build_weir() {
    build=build-release
    log=$(mktemp)
    if [ ! -f "$build/build.ninja" ]; then
        say "configuring $build"
        if ! meson setup "$build" -Dtests=false -Dbuildtype=release -Doptimization=2 --wrap-mode=nodownload >"$log" 2>&1; then
            tail -n 25 "$log"
            rm -rf "$build" "$log"
            return 1
        fi
    fi
    say "building weir in $build"
    NINJA_STATUS='[%f/%t] ' ninja -C "$build" >"$log" 2>&1 </dev/null &
    ninja_pid=$!
    seconds=0
    while kill -0 "$ninja_pid" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        [ $((seconds % 10)) -ne 0 ] || echo "    ${seconds} s: $(grep -o '^\[[0-9]*/[0-9]*\]' "$log" | tail -n 1) steps"
    done
    if ! wait "$ninja_pid"; then
        # The first of the compiler's errors says most; the rest stays in the file.
        grep -n -m 5 -A 4 -E 'error:|FAILED|rror: ' "$log" || tail -n 40 "$log"
        echo "All of it: $log" >&2
        return 1
    fi
    rm -f "$log"
    weir=$root/$build/src/app/weir
}

first=no
if [ -z "$weir" ]; then
    # shellcheck disable=SC2086  # the lists are words
    weir_install $weir_packages_tools $weir_packages_libraries $weir_packages_running || exit 1
    build_weir || { echo 'The build failed; the first errors stand above.' >&2; exit 1; }
    [ -f build-release/quickstart-was-here ] || first=yes
else
    first=yes
fi
[ -x "$weir" ] || { echo "quickstart.sh: $weir is not there" >&2; exit 1; }

# --- a data folder of its own, and weir on it
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-quickstart.XXXXXX")
mkdir "$work/inbox"
say "starting weir dev on port $port, data in $work/data"
"$weir" dev --data "$work/data" --port "$port" --folder "inbox=$work/inbox" --on-ready "$work/ready" \
    >"$work/weir.log" 2>&1 </dev/null &
weir_pid=$!

# Ends what this script started; with --keep only if something went wrong before the end.
finish() {
    status=$?
    trap - EXIT INT TERM
    if [ "$keep" = no ] || [ "$status" -ne 0 ]; then
        kill "$weir_pid" 2>/dev/null || true
        wait "$weir_pid" 2>/dev/null || true
        if [ "$status" -ne 0 ]; then
            echo
            echo "The end of weir's log ($work/weir.log):"
            tail -n 20 "$work/weir.log"
        else
            rm -rf "$work"
        fi
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ticks=0
until [ -s "$work/ready" ]; do
    kill -0 "$weir_pid" 2>/dev/null || { echo 'weir ended before it was ready.' >&2; exit 1; }
    ticks=$((ticks + 1))
    [ "$ticks" -le 300 ] || { echo 'weir was not ready within 30 s.' >&2; exit 1; }
    sleep 0.1
done
WEIR_SERVER=$(cat "$work/ready")
export WEIR_SERVER

say 'weir apply flows/examples'
"$weir" apply flows/examples

# --- the main job: two files land; the second has an amount that is no number
say "two files of sales land in $work/inbox"
printf 'region,amount\nnorth,10\nsouth,20.5\nnorth,30\n' >"$work/inbox/sales-2026-11-20.csv"
printf 'region,amount\nnorth,12\nsouth,n/a\n' >"$work/inbox/sales-2026-11-21.csv"

say 'following the runs (the first task makes its Python environment, which takes a few seconds)'
want='ingest=2 features=2 quality=2 train=1 alert=1'
# The scheduled flow comes with the next full minute: waited for once.
[ "$first" = no ] || want="$want report=1"
# shellcheck disable=SC2086  # FLOW=NUMBER words
python3 deploy/watch_runs.py --weir "$weir" --ids "$work/ids" $want

# The ids that watch_runs.py wrote: train, alert and the event that the join still holds.
. "$work/ids"

say 'weir runs'
"$weir" runs
say "weir why $train_run      (why did this run start?)"
"$weir" why "$train_run"
say "weir why --trigger demo/day-complete --event $held_event      (why did the second day not train?)"
"$weir" why --trigger demo/day-complete --event "$held_event"
say "weir lineage $train_run --up --format tree      (what is this model made of?)"
"$weir" lineage "$train_run" --up --format tree

[ -z "${build:-}" ] || touch build-release/quickstart-was-here
say 'done'
cat <<TEXT
Read on:
    README.md                 what weir is, and a first trigger of your own
    flows/examples/README.md  the flows that just ran
    ARCHITECTURE.md           how it works, in one sitting
    $weir --help
TEXT
if [ "$keep" = yes ]; then
    cat <<TEXT

weir goes on running:
    export WEIR_SERVER=$WEIR_SERVER
    watched folder   $work/inbox
    data, log        $work/data, $work/weir.log
    to stop it       kill $weir_pid && rm -r $work
TEXT
fi
