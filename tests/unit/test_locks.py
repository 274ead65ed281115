"""The locks pin everything by hash and name no download address; the project's files name no machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-bootstrap.lock", "requirements-fuzz.lock"]
_ENTRY = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^ ;\\]+)(?: ; [^\\]+?)? \\\n"
    r"(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
)
each_lock = pytest.mark.parametrize("lock", LOCKS)


def pins(lock: str) -> dict[str, Version]:
    text = (ROOT / lock).read_text("utf-8")
    return {entry["name"]: Version(entry["version"]) for entry in _ENTRY.finditer(text)}


@each_lock
def test_every_line_is_a_pin_with_hashes_and_nothing_else(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert pins(lock)
    assert _ENTRY.sub("", text) == ""


@pytest.mark.parametrize(
    ("asked", "lock"),
    [
        (PROJECT["project"]["dependencies"], "requirements.lock"),
        (PROJECT["project"]["dependencies"], "requirements-dev.lock"),
        (PROJECT["dependency-groups"]["dev"], "requirements-dev.lock"),
        (PROJECT["dependency-groups"]["bootstrap"], "requirements-bootstrap.lock"),
        (PROJECT["dependency-groups"]["fuzz"], "requirements-fuzz.lock"),
        (PROJECT["build-system"]["requires"], "requirements-bootstrap.lock"),
    ],
)
def test_what_pyproject_asks_for_is_pinned_at_a_version_it_takes(asked: list[str], lock: str) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, asked):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_locks_agree_with_one_another() -> None:
    run, dev, bootstrap, _ = (pins(lock) for lock in LOCKS)
    assert run.items() <= dev.items()
    assert all(dev.get(name, version) == version for name, version in bootstrap.items())


def project_files() -> list[Path]:
    """Tracked files, and new ones that are not ignored; every file where this is not a clone."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode != 0:
        skipped = {".venv", ".git", "build", "var"}
        return [path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.relative_to(ROOT).parts)]
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


_HOME = re.compile(rb"(?<![\w.])/(?:home|Users|root)/[\w.-]+")
_WORKPLACE = re.compile(rb"(?<![\w.])/wo" rb"rk/(?:main|shared|\.library)\b")
_REGISTRY = re.compile(
    rb"(?:pypi\.o" rb"rg|pythonhosted\.o" rb"rg|registry\.npmjs\.o" rb"rg|deb\.debian\.o" rb"rg)", re.I
)


@pytest.mark.parametrize("pattern", [_HOME, _WORKPLACE, _REGISTRY], ids=["home", "workplace", "registry"])
def test_no_file_names_a_machines_path_or_a_registrys_host(pattern: re.Pattern[bytes]) -> None:
    naming = [str(path.relative_to(ROOT)) for path in project_files() if pattern.search(path.read_bytes())]
    assert naming == []


def test_the_search_itself_can_find() -> None:
    assert _HOME.search(b"see /home/" + b"someone/x")
    assert _WORKPLACE.search(b"cd /wo" + b"rk/main")
    assert _REGISTRY.search(b"https://PyPI.o" + b"rg/simple")
    assert not _HOME.search(b"https://gateway.example/home/page")
