"""List, and fetch, what `benchmarks.gpu` needs and another machine lacks: wheels for one without a network.

    python -m benchmarks.wheels --present there.txt                          # there.txt: the output of its `pip list`
    python -m benchmarks.wheels --present there.txt --output wheels          # fetches them, this package's own too

There, `pip install --no-index --no-deps wheels/*.whl`. MLflow, Optuna, faiss and plotly are left out with all that
nothing else needs: no part of the benchmark does.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGE = "ae-lightning"
NOT_NEEDED = frozenset({"mlflow", "optuna", "faiss-cpu", "plotly", "torch", "torchvision"})
"""What no part of the benchmark needs, and what a machine with a GPU has for its own driver."""

MAX_MIB = 40
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def main(arguments: list[str] | None = None) -> int:
    """List or fetch.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code: 1 if a wheel cannot be had, or they are larger than they may be.
    """
    options = parse(arguments)
    present = set() if options.present is None else names_in(options.present.read_text(encoding="utf-8"))
    wanted = [f"{name}=={version(name)}" for name in missing(PACKAGE, present)]
    sys.stdout.write("".join(f"{each}\n" for each in wanted))
    return 0 if options.output is None else fetch(wanted, options.output, options.python)


def names_in(listed: str) -> set[str]:
    """Return the packages of a `pip list`, a `pip freeze` or a list of names."""
    lines = (re.split(r"[\s=@<>,]", line.strip(), maxsplit=1)[0] for line in listed.splitlines())
    return {normalised(name) for name in lines if re.fullmatch(r"[A-Za-z0-9][\w.-]*", name)}


def missing(package: str, present: set[str]) -> list[str]:
    """Return what a package needs, and what that needs, but for what is present or not needed.

    Args:
        package: Installed here.
        present: Normalised names.

    Returns:
        Names in alphabetical order, the package's own not among them.
    """
    found: set[str] = set()
    waiting = [(package, frozenset[str]())]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        for text in _requirements(name):
            requirement = Requirement(text)
            needed = normalised(requirement.name)
            is_asked = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in extras or {""}
            )
            if is_asked and needed not in NOT_NEEDED and needed not in present:
                found.add(needed)
                step = needed, frozenset(requirement.extras)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
    return sorted(found)


def _requirements(name: str) -> list[str]:
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:  # for another Python or system
        return []


def normalised(name: str) -> str:
    """Return a package's name as indices spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fetch(wanted: list[str], folder: Path, python: str) -> int:
    """Fetch wheels, and build this package's own.

    Args:
        wanted: With their versions.
        folder: Where to.
        python: The other machine's version, such as `3.12`.

    Returns:
        The exit code.
    """
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    target = ("--only-binary=:all:", "--python-version", python, "--implementation", "cp")
    platforms = [part for platform in PLATFORMS for part in ("--platform", platform)]
    commands = [[*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]]
    if wanted:
        commands.append([*pip, "download", "--no-deps", *target, *platforms, "--dest", str(folder), *wanted])
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            return 1
    mib = sum(wheel.stat().st_size for wheel in folder.glob("*.whl")) / 2**20
    sys.stderr.write(f"{mib:.1f} MiB in {folder}\n")
    if mib > MAX_MIB:
        sys.stderr.write(f"benchmarks: error: more than {MAX_MIB} MiB; name in --present what is there\n")
        return 1
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.wheels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--present", type=Path, help="file with the packages of the other machine, by default none")
    parser.add_argument("--output", type=Path, help="folder to fetch into; by default they are listed alone")
    parser.add_argument("--python", default="3.12", help="of the other machine (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
