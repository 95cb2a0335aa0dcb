# shellcheck shell=bash
# Sourced by the other scripts: makes .venv and keeps it at the pinned versions.
# Set PYTHON to choose the interpreter that a new .venv is made with.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
environment="$repository/.venv"

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 2
}

# Print an interpreter that MindSpore supports.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.10 python3}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' \
            2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "no Python 3.10, 3.11 or 3.12 found (looked for ${PYTHON:-python3}); set PYTHON to one"
}

make_environment() {
    local python
    [ -x "$environment/bin/pip" ] && return
    python=$(find_python) || exit 2
    "$python" -m venv "$environment" >/dev/null 2>&1 ||
        fail "cannot make $environment with $python: is its venv module installed (on Debian: python3-venv)?"
}

# prepare_environment FILE: install what FILE pins, unless that was done already, and the package.
# Afterwards `python` is the environment's.
prepare_environment() {
    local requirements="$repository/$1" stamp="$environment/.installed-$1" wanted
    make_environment
    wanted=$(cd "$repository" &&
        cat "$1" requirements.txt pyproject.toml setup.py custom_ops/build.py custom_ops/msda/* custom_ops/products/* | cksum)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "installing $1 into $environment (about 1 GB the first time)"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
            -r "$requirements" || fail "pip could not install $1"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
            --no-deps --no-build-isolation -e "$repository" || fail "pip could not install the package"
        # pip hides what the build of the native library says; without it everything runs, slower
        "$environment/bin/python" "$repository/custom_ops/build.py" >/dev/null ||
            echo "going on without the native library" >&2
        printf '%s\n' "$wanted" >"$stamp"
    fi
    PATH="$environment/bin:$PATH"
    export PATH
}
