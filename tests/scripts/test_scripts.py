"""The scripts make their environment once, keep it true, and stay out of the way afterwards.

Nearly all of it is told with a stand-in for Python that notes what it is asked; one test uses the real venv and pip.
"""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

STAND_IN = r"""#!/bin/bash
# A Python that notes what it is asked and does it in no time.
printf '%s\n' "${0##*/} $*" >>"$NOTES"
case "$*" in
    -c*version_info*) [[ " $UNSUITABLE " != *" ${0##*/} "* ]] ;;
    -c*ensurepip*) [[ ! -e $NOTES.no-venv ]] ;;
    *"-m venv "*) mkdir -p "${@: -1}/bin" && ln -s "$(type -P "$0")" "${@: -1}/bin/python" ;;
    *"-m pip install"*)
        if [[ -e $NOTES.pip-waits ]]; then touch "$NOTES.pip-started" && sleep 60; fi
        if [[ -e $NOTES.pip-lingers ]]; then sleep 0.5; fi
        if [[ -e $NOTES.pip-fails ]]; then
            echo "Collecting x" && echo "ERROR: No matching distribution for x" >&2 && exit 1
        fi
        ;;
    *"-m bench.cli"*)
        shift 3 && printf 'pid %s\n' "$$" && printf 'argument <%s>\n' "$@" && exit "${EXIT_CODE:-0}" ;;
    *"-m ruff format"*) exit 1 ;;
    *"-m pytest"*) printf 'what cannot run here fails: <%s>\n' "${BENCH_TEST_SYSTEM:-}" ;;
esac
"""

PROCESSES = min(4, (os.cpu_count() or 1) + 1)
PYTEST = f"python -m pytest --numprocesses {PROCESSES} --dist loadfile --no-loadscope-reorder"
PYTHONS = ("python3", "python3.11", "python3.12", "python3.13")


class Checkout:
    """A copy of the scripts beside a project of nothing, on a PATH where every Python is the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a check out"
        self.notes = folder / "notes"
        self.venv = self.root / ".venv"
        self.path = folder / "bin"
        shutil.copytree(REPOSITORY / "scripts", self.root / "scripts")
        (self.root / "pyproject.toml").write_text("[project]\n")
        (self.root / "constraints.txt").write_text("numpy==2.0\n")
        for name in PYTHONS:
            self.command(name, STAND_IN)
        self.command("nvidia-smi", "#!/bin/bash\nexit 9\n")
        self.environment = {"PATH": f"{self.path}:/usr/bin:/bin", "NOTES": str(self.notes), "HOME": str(folder)}

    def command(self, name: str, text: str) -> None:
        self.path.mkdir(exist_ok=True)
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def popen(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "scripts" / command[0]), *command[1:]],
            cwd=self.root.parent,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.popen(*command, **environment)
        out, err = process.communicate(timeout=20)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def switch(self, name: str) -> Path:
        """Turn a behaviour of the stand-in on, until the file is removed."""
        file = self.notes.with_name(f"{self.notes.name}.{name}")
        file.touch()
        return file

    def asked(self, pattern: str) -> list[str]:
        return [line for line in self.notes.read_text().splitlines() if re.search(pattern, line)]

    def stop_during_pip(self, number: signal.Signals) -> subprocess.CompletedProcess[str]:
        """Start, wait until pip works, and send the signal to all of it, as a terminal does."""
        waits, started = self.switch("pip-waits"), Path(f"{self.notes}.pip-started")
        process = self.popen("bench")
        deadline = time.monotonic() + 10
        while not started.exists():
            assert time.monotonic() < deadline, "pip was never asked"
            time.sleep(0.01)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=10)
        waits.unlink()
        started.unlink()
        return subprocess.CompletedProcess("bench", process.returncode, out, err)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_first_start_installs_against_the_constraints_and_says_so(checkout: Checkout) -> None:
    """The first start makes .venv from the pinned versions and tells the user in one line, on stderr."""
    result = checkout.run("bench", "--help")
    assert result.returncode == 0
    assert result.stderr.count("\n") == 1
    assert "making" in result.stderr
    (install,) = checkout.asked("pip install")
    assert f"--constraint {checkout.root}/constraints.txt --editable {checkout.root}[cpu]" in install


def test_second_start_installs_nothing_and_is_silent(checkout: Checkout) -> None:
    """A start in a finished environment asks Python for one thing only: the benchmark."""
    checkout.run("bench")
    checkout.notes.write_text("")
    result = checkout.run("bench", "run", "quick")
    assert result.stderr == ""
    assert checkout.asked("") == ["python -P -m bench.cli run quick"]


def test_arguments_arrive_unchanged(checkout: Checkout) -> None:
    """Spaces, quotes, stars and empty words reach the benchmark as they were typed."""
    words = ["a  b", "*", "", "it's", "$HOME", "--", "-x"]
    lines = checkout.run("bench", *words).stdout.splitlines()
    assert lines[1:] == [f"argument <{word}>" for word in words]


def test_benchmark_takes_the_place_of_the_script(checkout: Checkout) -> None:
    """The process a caller started is the benchmark itself, so its signals and exit code pass."""
    process = checkout.popen("bench", EXIT_CODE="37")
    out, _ = process.communicate(timeout=20)
    assert out.startswith(f"pid {process.pid}\n")
    assert process.returncode == 37


def test_starts_through_a_link_from_elsewhere(checkout: Checkout) -> None:
    """A symbolic link to scripts/bench in a folder on PATH finds its repository."""
    (checkout.path / "mybench").symlink_to(checkout.root / "scripts" / "bench")
    result = subprocess.run([checkout.path / "mybench"], env=checkout.environment, cwd="/", timeout=20, check=False)
    assert result.returncode == 0
    assert (checkout.venv / "bench.stamp").exists()


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_changed_requirements_are_installed(checkout: Checkout, name: str) -> None:
    """After a change of either file the next start brings the environment up to date; the one after is silent."""
    checkout.run("bench")
    with (checkout.root / name).open("a") as file:
        file.write("# changed\n")
    result = checkout.run("bench")
    assert "up to date" in result.stderr
    assert len(checkout.asked("pip install")) == 2
    assert len(checkout.asked("-m venv")) == 1
    assert checkout.run("bench").stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_interrupted_install_is_made_anew(checkout: Checkout, number: signal.Signals, code: int) -> None:
    """A killed or interrupted install is never taken for a finished one: the next start begins again from nothing."""
    stopped = checkout.stop_during_pip(number)
    assert stopped.returncode == code
    assert "argument" not in stopped.stdout
    (checkout.venv / "half").touch()
    assert checkout.run("bench").returncode == 0
    assert len(checkout.asked("-m venv")) == 2
    assert not (checkout.venv / "half").exists()


def test_interrupted_update_is_made_anew(checkout: Checkout) -> None:
    """An update that was cut short spoils the environment it worked on, so that one is made again too."""
    checkout.run("bench")
    (checkout.root / "constraints.txt").write_text("numpy==2.1\n")
    checkout.stop_during_pip(signal.SIGKILL)
    checkout.run("bench")
    assert len(checkout.asked("-m venv")) == 2


@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock (Debian: util-linux)")
def test_two_first_starts_install_once(checkout: Checkout) -> None:
    """Of two starts at the same time one installs, the other waits and then uses what the first made."""
    checkout.switch("pip-lingers")
    both = [checkout.popen("bench") for _ in range(2)]
    errors = [process.communicate(timeout=20)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("waiting" in error for error in errors) == 1
    assert len(checkout.asked("pip install")) == 1


def test_failed_install_is_one_line_and_tried_again(checkout: Checkout) -> None:
    """When pip fails the user reads its reason and where its log is, and the next start tries again."""
    fails = checkout.switch("pip-fails")
    result = checkout.run("bench")
    assert result.returncode == 2
    assert result.stderr.splitlines()[1:] == [
        f"bench: pip failed: ERROR: No matching distribution for x; see {checkout.venv}/bench.log and start again"
    ]
    assert "Collecting x" in (checkout.venv / "bench.log").read_text()
    fails.unlink()
    assert checkout.run("bench").returncode == 0


def test_moved_checkout_gets_a_new_environment(checkout: Checkout) -> None:
    """An environment knows its folder by name: after a move it is made again and does not run the old place's code."""
    checkout.run("bench")
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.run("bench")
    assert len(checkout.asked("-m venv")) == 2


def test_environment_made_by_hand_is_kept(checkout: Checkout) -> None:
    """A .venv the user made is completed, not emptied."""
    (checkout.venv / "bin").mkdir(parents=True)
    shutil.copy(checkout.path / "python3", checkout.venv / "bin" / "python")
    (checkout.venv / "mine").touch()
    assert checkout.run("bench").returncode == 0
    assert (checkout.venv / "mine").exists()
    assert not checkout.asked("-m venv")


@pytest.mark.parametrize(
    ("asked_for", "gpu", "extra"),
    [("", False, "[cpu]"), ("", True, "[gpu]"), ("cpu", True, "[cpu]"), ("gpu", False, "[gpu]"), ("none", True, "")],
)
def test_tensorflow_follows_the_machine_unless_told(checkout: Checkout, asked_for: str, gpu: bool, extra: str) -> None:
    """An answering NVIDIA driver brings the GPU build, none the CPU build; BENCH_EXTRA overrules both."""
    if gpu:
        checkout.command("nvidia-smi", "#!/bin/bash\necho 'GPU 0: Some Model (UUID: GPU-1)'\n")
    checkout.run("bench", BENCH_EXTRA=asked_for)
    (install,) = checkout.asked("pip install")
    assert install.endswith(f"--editable {checkout.root}{extra}")


def test_change_of_tensorflow_build_makes_a_new_environment(checkout: Checkout) -> None:
    """The two builds install the same files, so one is never put over the other."""
    checkout.run("bench", BENCH_EXTRA="cpu")
    checkout.run("bench", BENCH_EXTRA="gpu")
    assert len(checkout.asked("-m venv")) == 2


def test_machines_sharing_a_folder_do_not_undo_each_other(checkout: Checkout) -> None:
    """A login node, with or without BENCH_EXTRA=none, uses the environment a GPU node made, as it is."""
    checkout.run("bench", BENCH_EXTRA="gpu")
    assert checkout.run("bench").stderr == ""
    assert checkout.run("bench", BENCH_EXTRA="none").stderr == ""


def test_unknown_extra_is_refused(checkout: Checkout) -> None:
    """A BENCH_EXTRA that means nothing is one line and exit 2, before anything is made."""
    result = checkout.run("bench", BENCH_EXTRA="tpu")
    assert (result.returncode, result.stderr) == (2, "bench: BENCH_EXTRA=tpu is unknown; give cpu, gpu or none\n")
    assert not checkout.venv.exists()


def test_next_suitable_python_is_taken(checkout: Checkout) -> None:
    """Where python3 is too old or too new, a suitable version beside it makes the environment."""
    assert checkout.run("bench", UNSUITABLE="python3 python3.13").returncode == 0
    assert checkout.asked("-m venv")[0].startswith("python3.12 ")


def test_no_suitable_python_is_refused(checkout: Checkout) -> None:
    """Without a suitable Python the last line says which are, and the exit code is 2."""
    result = checkout.run("bench", UNSUITABLE=" ".join(PYTHONS))
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("bench: no Python 3.11, 3.12 or 3.13 found; install one")
    assert not checkout.asked("-m (venv|pip)")


def test_missing_venv_module_names_the_package(checkout: Checkout) -> None:
    """Debian ships Python without its venv module; the message names the package that has it."""
    checkout.switch("no-venv")
    result = checkout.run("bench", UNSUITABLE="python3")
    assert result.returncode == 2
    assert "apt-get install python3.13-venv" in result.stderr


def test_given_python_is_used_as_it_is(checkout: Checkout) -> None:
    """BENCH_PYTHON runs the benchmark from this repository and makes nothing."""
    checkout.command("mine", STAND_IN.replace("printf 'pid", "printf 'from %s\\n' \"$PYTHONPATH\" && printf 'pid"))
    result = checkout.run("bench", "a b", BENCH_PYTHON=str(checkout.path / "mine"), PYTHONPATH="/x")
    assert result.stdout.startswith(f"from {checkout.root}:/x\n")
    assert result.stdout.endswith("argument <a b>\n")
    assert not checkout.venv.exists()
    assert not checkout.asked("pip")


@pytest.mark.parametrize("given", ["no/such/python", "mine"])
def test_given_python_must_be_suitable(checkout: Checkout, given: str) -> None:
    """A BENCH_PYTHON that is missing or of another version is one line and exit 2."""
    checkout.command("mine", STAND_IN)
    result = checkout.run("bench", BENCH_PYTHON=given, UNSUITABLE="mine")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"BENCH_PYTHON={given}" in result.stderr


def test_suitable_means_what_the_project_requires() -> None:
    """The range the scripts accept is requires-python, which they cannot read without a Python."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    condition = re.search(
        r"\((\d), (\d+)\) <= .* <= \((\d), (\d+)\)", (REPOSITORY / "scripts/environment.sh").read_text()
    )
    assert condition is not None
    low, low_minor, high, high_minor = map(int, condition.groups())
    assert project["requires-python"] == f">={low}.{low_minor},<{high}.{high_minor + 1}"


def test_gate_runs_every_step_and_fails_with_any(checkout: Checkout) -> None:
    """When one step fails the others still run, the summary names it, and the exit code is not 0."""
    result = checkout.run("test", "-k", "some name")
    assert result.returncode == 1
    assert [line for line in result.stdout.splitlines() if line.startswith("  ")] == [
        "  ruff check: ok",
        "  ruff format: FAILED",
        "  mypy: ok",
        "  pytest: ok",
    ]
    assert checkout.asked("-m pytest") == [f"{PYTEST} -k some name"]
    assert checkout.asked("pip install")[0].endswith("[cpu,dev]")


def test_gate_and_benchmark_share_the_environment(checkout: Checkout) -> None:
    """scripts/test adds the extra dev to what scripts/bench made, and scripts/bench is content with the result."""
    checkout.run("bench")
    assert "up to date" in checkout.run("test").stderr
    assert checkout.run("bench").stderr == ""
    assert len(checkout.asked("-m venv")) == 1


def test_documentation_is_built_in_the_same_environment(checkout: Checkout) -> None:
    """scripts/docs needs what the extra dev has, and hands its words on to what builds the site."""
    assert checkout.run("docs", "--serve", "a b").returncode == 0
    assert checkout.asked("pip install")[0].endswith("[cpu,dev]")
    assert checkout.asked("scripts/documentation ") == [f"python {checkout.root}/scripts/documentation --serve a b"]


def test_environment_of_another_checkout_is_left_alone(checkout: Checkout) -> None:
    """A .venv that is a link, and not this checkout's, is refused in one line and nothing in it is erased."""
    other = checkout.root.parent / "other"
    other.mkdir()
    (other / "kept").touch()
    checkout.venv.symlink_to(other, target_is_directory=True)
    done = checkout.run("bench")
    assert done.returncode == 2
    assert "is a link" in done.stderr
    assert [entry.name for entry in other.iterdir()] == ["kept"]


def test_quick_gate_leaves_out_slow_tests(checkout: Checkout) -> None:
    """--quick passes pytest the marker expression and the other arguments; what cannot run is skipped."""
    assert "what cannot run here fails: <>" in checkout.run("test", "--quick", "-x").stdout
    assert checkout.asked("-m pytest") == [f"{PYTEST} -m not slow -x"]


OFFLINE_BACKEND = '''
"""The smallest build backend that makes an editable install, so that nothing is fetched."""
import zipfile
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "bench_stub-1-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        wheel.writestr("bench_stub.pth", str(Path.cwd()))
        wheel.writestr("bench_stub-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: bench_stub\\nVersion: 1\\n")
        wheel.writestr("bench_stub-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
        wheel.writestr("bench_stub-1.dist-info/RECORD", "")
    return name
'''


@pytest.mark.skipif(find_spec("ensurepip") is None, reason="needs ensurepip (Debian: python3-venv)")
def test_first_start_with_real_venv_and_pip(tmp_path: Path) -> None:
    """With the real Python, venv and pip: installed once, run from anywhere, quiet at the second start."""
    root = tmp_path / "check out"
    shutil.copytree(REPOSITORY / "scripts", root / "scripts")
    (root / "constraints.txt").touch()
    (root / "bench").mkdir()
    (root / "bench" / "__init__.py").touch()
    (root / "bench" / "cli.py").write_text("import sys\nprint(sys.prefix, sys.argv[1:])\nsys.exit(5)\n")
    (root / "backend.py").write_text(OFFLINE_BACKEND)
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    python = Path(sys.executable)
    environment = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(tmp_path), "BENCH_EXTRA": "none"}
    command = [root / "scripts" / "bench", "a b"]
    runs = [
        subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=60, check=False)
        for _ in range(2)
    ]
    log = root / ".venv" / "bench.log"
    assert [run.returncode for run in runs] == [5, 5], runs[0].stderr + (log.read_text() if log.exists() else "")
    assert [run.stdout for run in runs] == [f"{root}/.venv ['a b']\n"] * 2
    assert "making" in runs[0].stderr
    assert runs[1].stderr == ""
    assert list(root.glob(".venv/lib/*/site-packages/bench_stub.pth"))


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/etc/debian_version").exists(), reason="needs root on Debian")
def test_gate_installs_the_system_packages_that_are_missing(checkout: Checkout) -> None:
    """--system asks apt-get for the listed packages that are not there and no other; then what cannot run fails."""
    checkout.command("dpkg-query", "#!/bin/bash\n[[ ${@: -1} != gcc ]] || printf installed\n")
    checkout.command("apt-get", '#!/bin/bash\necho "apt-get $*" >>"$NOTES"\n')
    (checkout.root / "scripts" / "system-packages.txt").write_text("# a comment\ngcc  # why\nlibc6-dev # why\n\nmake\n")
    assert "what cannot run here fails: <1>" in checkout.run("test", "--system").stdout
    (install,) = checkout.asked("^apt-get install")
    assert install.endswith("--no-install-recommends libc6-dev make")
    assert checkout.asked("-m pytest") == [PYTEST]


def test_scripts_are_executable() -> None:
    """What a README tells people to type can be typed."""
    for name in ("scripts/bench", "scripts/docs", "scripts/test", ".ci/run"):
        assert (REPOSITORY / name).stat().st_mode & stat.S_IXUSR, name
