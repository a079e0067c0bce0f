# shellcheck shell=bash
# Which Python the scripts run. Sourced by scripts/bench and scripts/test; `use_environment` sets $python.
#
#   BENCH_PYTHON=/path/to/python   use this one as it is and install nothing (containers, modules)
#   BENCH_EXTRA=cpu|gpu|none       which TensorFlow goes into .venv; none: no TensorFlow (login nodes).
#                                  Without it: gpu where an NVIDIA driver lists a GPU, otherwise cpu.
#
# Otherwise it is .venv in the repository, made at the first start. bench.stamp in it is written last and holds all the
# install depended on: the extras, the interpreter, the folder, pyproject.toml and constraints.txt. While that is
# what it would be now, a start only reads it.

root=$(readlink -f -- "${BASH_SOURCE[0]%/*}/..")
venv=$root/.venv
stamp=$venv/bench.stamp
log=$venv/bench.log

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
refuse() {
    say "$@"
    exit 2
}

use_environment() { # use_environment [dev]
    if [[ -n ${BENCH_PYTHON:-} ]]; then
        use_given_python
        return
    fi
    python=$venv/bin/python
    choose_extras "${1:-}"
    if is_ready; then return; fi
    if [[ -L $venv ]]; then refuse "$venv is a link to another environment; remove it, or name one with BENCH_PYTHON"; fi
    if ! { mkdir -p "$venv" 2>/dev/null && [[ -w $venv ]]; }; then
        refuse "cannot write $venv; make it writable, or name an environment with BENCH_PYTHON"
    fi
    install_alone "${1:-}" 9>>"$venv/bench.lock"
}

use_given_python() {
    python=$BENCH_PYTHON
    is_suitable "$python" || refuse "BENCH_PYTHON=$python is not a Python 3.11, 3.12 or 3.13 that starts"
    "$python" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("typer", "pydantic", "seaborn"))))' ||
        refuse "BENCH_PYTHON=$python lacks packages; run: $python -m pip install -c $root/constraints.txt $root"
    if [[ $python == */* && $python != /* ]]; then python=$PWD/$python; fi # scripts/test changes folder
    export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
}

is_suitable() { # the same range as requires-python in pyproject.toml
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

# Sets $tensorflow (cpu, gpu or nothing) and $extras, such as "cpu,dev". What is installed already is kept, so that bench and
# test share one environment, and a login node and a GPU node that see the same folder do not undo each other's.
choose_extras() {
    local dev=$1 installed="" had
    if [[ -f $stamp ]]; then read -r installed <"$stamp" || true; fi
    if [[ ,$installed == *,dev ]]; then dev=dev; fi
    had=${installed%dev}
    had=${had%,}
    case ${BENCH_EXTRA:-} in
        cpu | gpu) tensorflow=$BENCH_EXTRA ;;
        none) tensorflow=$had ;;
        "") if [[ $had == gpu ]] || has_gpu; then tensorflow=gpu; else tensorflow=cpu; fi ;;
        *) refuse "BENCH_EXTRA=$BENCH_EXTRA is unknown; give cpu, gpu or none" ;;
    esac
    extras=$tensorflow${dev:+,dev}
    extras=${extras#,}
}

has_gpu() { # one TensorFlow could use: its CUDA build is for Linux on x86-64
    [[ $OSTYPE == linux* && $HOSTTYPE == x86_64 ]] && command -v nvidia-smi >/dev/null &&
        [[ $(timeout 30 nvidia-smi -L 2>/dev/null) == "GPU "* ]]
}

place() { printf '%s in %s' "$(readlink -f -- "$venv/bin/python")" "$root"; }

wanted_stamp() {
    printf '%s\n%s\n%s\n%s\n' "$extras" "$(place)" "$(<"$root/pyproject.toml")" "$(<"$root/constraints.txt")"
}

is_ready() { [[ -x $python && -f $stamp && $(<"$stamp") == "$(wanted_stamp)" ]]; }

install_alone() { # file descriptor 9 is the lock; where there is no flock, two first starts at once are the user's affair
    if command -v flock >/dev/null && ! flock -n 9; then
        say "another start is installing into $venv; waiting for it"
        flock 9
    fi
    choose_extras "$1"
    if is_ready; then return; fi
    trap 'say "interrupted; the next start begins the install anew"; exit 130' INT TERM
    if can_be_mended; then
        say "bringing $venv up to date with pyproject.toml, constraints.txt and the extras ${extras:-none} (log: $log)"
        : >"$stamp" # an empty stamp stands for unfinished
    else
        say "making $venv with the extras ${extras:-none}; with TensorFlow this takes minutes (log: $log)"
        : >"$stamp"
        make_venv
    fi
    install_project
    wanted_stamp >"$stamp"
    trap - INT TERM
}

# A finished environment of the same interpreter and folder, or one made by hand. An unfinished one is not: pip believes
# packages it had only half unpacked. Nor is a change of TensorFlow build: both install the same files.
can_be_mended() {
    if [[ ! -e $stamp ]]; then
        is_suitable "$python" && "$python" -m pip --version >/dev/null 2>&1
        return
    fi
    local installed="" where=""
    { read -r installed && read -r where; } <"$stamp" || true
    [[ $where == "$(place)" ]] && case $installed in "" | dev | "$tensorflow" | "$tensorflow",dev) ;; *) false ;; esac
}

make_venv() {
    local interpreter
    interpreter=$(find_python)
    "$interpreter" -c 'import ensurepip, venv' 2>/dev/null ||
        refuse "$interpreter cannot make virtual environments; install its venv module (Debian: apt-get install ${interpreter}-venv)"
    find "$venv/" -mindepth 1 -maxdepth 1 ! -name 'bench.*' -exec rm -rf {} +
    "$interpreter" -I -m venv "$venv" >"$log" 2>&1 || refuse "$interpreter could not make $venv; see $log"
}

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if is_suitable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    refuse "no Python 3.11, 3.12 or 3.13 found; install one (Debian: apt-get install python3 python3-venv), or name one with BENCH_PYTHON"
}

install_project() { # -I and PIP_USER=0: nothing of the user's other environments gets in, as module systems like to do
    PIP_USER=0 "$python" -I -m pip install --no-input --disable-pip-version-check \
        --constraint "$root/constraints.txt" --editable "$root${extras:+[$extras]}" >"$log" 2>&1 ||
        refuse "pip failed: $(grep '^ERROR' "$log" | tail -n 1); see $log and start again"
}
