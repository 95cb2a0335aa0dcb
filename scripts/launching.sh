# shellcheck shell=bash
# Sourced by the scripts that start training and evaluation.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The environment of this folder, if there is one; otherwise what PATH has.
if [ -x "$repository/.venv/bin/python" ]; then PATH="$repository/.venv/bin:$PATH"; fi
export PATH PYTHONPATH="$repository/src${PYTHONPATH:+:$PYTHONPATH}"

# need_words COUNT ARGUMENT...: without so many words (-h, --help: none) print the head of the script
need_words() {
    local wanted=$1 word
    shift
    for word in "$@"; do
        case $word in -h | --help) wanted=$(($# + 1)) ;; esac
    done
    [ $# -ge "$wanted" ] && return
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# run_python ARGUMENT...: in place of this shell, so that signals reach it
run_python() {
    command -v python >/dev/null || {
        echo "error: python is not on PATH; activate the environment that has MindSpore" >&2
        exit 2
    }
    exec python "$@"
}

# is_given OPTION ARGUMENT...: whether it is one of them
is_given() {
    local option=$1 word
    shift
    for word in "$@"; do
        case $word in
            "$option" | "$option"=*) return 0 ;;
            --) return 1 ;;
        esac
    done
    return 1
}

# is_setting WORD: whether it is a key=value, and no path with = in it
is_setting() { [[ $1 == *=* && ${1%%=*} != */* ]]; }

# run_named OPTIONS PROGRAM ARGUMENT...: the first arguments that belong to no option and are no
# settings become the values of OPTIONS that are not given, in this order, wherever they stand before
# --; run_python takes it from there
run_named() {
    local option names=() named=("$2") word wanted=no options=$1
    shift 2
    for option in $options; do
        is_given "$option" "$@" || names+=("$option")
    done
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        word=$1
        shift
        if [ "$wanted" = no ] && [[ $word != -* ]] && [ ${#names[@]} -gt 0 ] &&
            ! is_setting "$word"; then
            named+=("${names[0]}")
            names=("${names[@]:1}")
        fi
        named+=("$word")
        case $word in
            --resume | --progress | --no-progress | --*=*) wanted=no ;;
            --*) wanted=yes ;; # its value
            *) wanted=no ;;
        esac
    done
    run_python "${named[@]}" "$@"
}

# launch KIND ARGUMENT...: the workers of KIND.py on this machine
launch() {
    local kind=$1
    shift
    run_python -m focus_detr.launch "$kind" --script "$repository/$kind.py" "$@"
}
