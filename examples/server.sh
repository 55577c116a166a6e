# Starts a server for the examples of the documentation. Source this file in a clone of the repository:
#
#     source examples/server.sh
#
# It makes a new temporary folder with a copy of `examples`, changes to it, and starts `uptake serve`
# there: nothing of the page mixes with other data. `stop_server` stops the server and changes back.
# The uploader's ledgers (XDG_STATE_HOME) are in the folder too.

stop_server() {
    if [ -n "${EXAMPLE_SERVER:-}" ]; then
        kill "$EXAMPLE_SERVER" 2>/dev/null && wait "$EXAMPLE_SERVER"
        cd "$EXAMPLE_CLONE" || return
        unset EXAMPLE_SERVER EXAMPLE_CLONE UPTAKE_DATA_DIR XDG_STATE_HOME
    fi
}

stop_server # that of the page before
EXAMPLE_CLONE=$PWD
XDG_STATE_HOME=$(mktemp -d)
export XDG_STATE_HOME UPTAKE_DATA_DIR="$XDG_STATE_HOME/uptake-data"
cp -RL examples "$XDG_STATE_HOME"
cd "$XDG_STATE_HOME" || return
uptake serve > server.log 2>&1 &
EXAMPLE_SERVER=$!
if curl -sf -o ready --retry 60 --retry-connrefused --retry-delay 1 "http://localhost:${UPTAKE_PORT:-8000}/health/ready"; then
    echo "Uptake listens on http://localhost:${UPTAKE_PORT:-8000}. Its folder is $PWD."
else
    cat server.log
    stop_server
fi
