"""Make `.venv` ready: create it, or bring it up to date with the requirements.

Run by whatever Python is found first, so it uses the standard library only and stays
parsable by Python 3.6.  Once the environment is fresh it only compares hashes: no network.

uv installs what is pinned, and pip what uv cannot: pip's word on a failure is the one that is shown.
"""

import ast
import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
STAMP = VENV / "hayasa-stamp.json"
# Stands in the environment while it is being filled: what is found with it was interrupted.
UNFINISHED = VENV / "hayasa-unfinished"

# uv itself, which pip brings.
INSTALLER = "requirements-uv.txt"

OLDEST = (3, 11)
# The newest one whose packages are pinned; a later one would start to compile them.
NEWEST = (3, 15)
CANDIDATES = ["python3", "python3.15", "python3.14", "python3.13", "python3.12", "python3.11", "python"]

PROBE = """
import sys
missing = []
for name in ("venv", "ensurepip"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
print("%d.%d.%d" % sys.version_info[:3], ",".join(missing))
"""

# The one line pip prints per requirement, wherever it takes the package from.
PIP_LINE = re.compile(r"(?:Collecting|Ignoring|Requirement already satisfied:|Processing \S*/) ?([A-Za-z0-9_.]+)")
# uv prints one for each that takes a while.
UV_LINE = re.compile(r" *(?:Downloading|Downloaded|Building|Built) ([A-Za-z0-9_.-]+)")

# How the machine reaches packages, as pip's settings name it, and what uv calls the same.
# Every other setting (user, target, constraint, no-binary, …) would change what is installed, and is left out.
WAYS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_OFFLINE",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
# Where pip keeps its settings, from the weakest to the strongest.
SECTIONS = ["global", "install", ":env:"]

HOW_TO_GET_PYTHON = """\
Python {oldest} から {newest} までのどれかを入れてから、もう一度実行してください。
  Debian/Ubuntu: sudo apt install python3 python3-venv
  macOS:         brew install python   (または https://www.python.org/downloads/)
別の場所にある Python は PYTHON= で指定できます: make book PYTHON=/path/to/python3.12"""


class SetupError(Exception):
    """Something the reader has to mend; its text says how."""


def probe(command):
    """Return (version, missing modules) of an interpreter, or None where it does not run."""
    try:
        answer = subprocess.run(
            [command, "-I", "-c", PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            timeout=120,
        )
        version, _, missing = answer.stdout.strip().partition(" ")
        numbers = tuple(int(part) for part in version.split("."))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return numbers, [name for name in missing.split(",") if name]


def dotted(version):
    """Return a version as it is written."""
    return ".".join(str(part) for part in version)


def is_known(version):
    """Tell whether there are pins for a version of Python."""
    return OLDEST <= version[:2] <= NEWEST


def find_python(wanted=None):
    """Return (command, version) of the first interpreter that can make the environment."""
    how_to_get = HOW_TO_GET_PYTHON.format(oldest=dotted(OLDEST), newest=dotted(NEWEST))
    found = []
    for name in [wanted] if wanted else CANDIDATES:
        command = shutil.which(os.path.expanduser(name))
        answer = probe(command) if command else None
        if answer is None:
            if wanted:
                raise SetupError("PYTHON={} は Python として実行できません。\n".format(wanted) + how_to_get)
            continue
        version, missing = answer
        if is_known(version) and not missing:
            return command, version
        found.append((command, version))
    without_venv = [entry for entry in found if is_known(entry[1])]
    if without_venv:
        command, version = without_venv[0]
        raise SetupError(
            "{} (Python {}) には仮想環境を作る venv モジュールがありません。\n".format(command, dotted(version))
            + "Debian/Ubuntu では次を実行してから、もう一度試してください:\n"
            + "  sudo apt install python{}-venv".format(dotted(version[:2]))
        )
    if found:
        newer = any(version[:2] > NEWEST for _, version in found)
        seen = "、".join("{} は {}".format(command, dotted(version)) for command, version in found)
        trouble = "Python が{}すぎます ({})。\n".format("新し" if newer else "古", seen)
        raise SetupError(trouble + how_to_get)
    raise SetupError("Python が見つかりません。\n" + how_to_get)


def digest(path):
    """Return the hash that tells whether a file has changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_stamp():
    """Return {file name: hash} of what the environment was filled with, or {}."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp):
    """Store what the environment now holds."""
    STAMP.write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def looks_offline(output):
    """Tell whether pip failed for want of a network."""
    signs = (
        "Temporary failure in name resolution",
        "Name or service not known",
        "nodename nor servname",
        "Failed to establish a new connection",
        "Failed to resolve",
        "Network is unreachable",
        "Connection refused",
        "Cannot connect to proxy",
        "Max retries exceeded",
        "Read timed out",
        "connect timeout",
        "from versions: none",
    )
    return any(sign in output for sign in signs)


def without(environment, prefixes):
    """Return an environment less the variables of some tools."""
    return {name: value for name, value in environment.items() if not name.upper().startswith(prefixes)}


@functools.lru_cache(maxsize=None)
def machine_ways():
    """Return {setting: value} of how this machine reaches packages, as its pip is set up to."""
    kept = {"PIP_CONFIG_FILE"}.union("PIP_" + option.upper().replace("-", "_") for option in WAYS)
    asked = without(os.environ, "PIP_")
    asked.update({name: os.environ[name] for name in kept if name in os.environ})
    # Either would have the list itself left out, and may stand in a file.
    asked.update(PIP_USER="0", PIP_QUIET="0")
    listed = subprocess.run(
        [str(PYTHON), "-I", "-m", "pip", "config", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
        encoding="utf-8",
        errors="replace",
        env=asked,
    ).stdout
    settings = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in SECTIONS and option in WAYS:
            settings[section, option] = " ".join(ast.literal_eval(value).split())
    ordered = sorted(settings.items(), key=lambda item: SECTIONS.index(item[0][0]))
    return {option: value for (_, option), value in ordered if value}


def environment():
    """Return the environment of an installation: of the machine's settings, only its way to the packages."""
    clean = without(os.environ, ("PIP_", "UV_", "PYTHON"))
    clean.update(PIP_CONFIG_FILE=os.devnull, UV_NO_CONFIG="1", UV_PYTHON_DOWNLOADS="never", UV_SYSTEM_CERTS="1")
    # Hashes tell that a package is the right one, so any index may have it: pip's rule.
    clean["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    for option, value in machine_ways().items():
        clean["PIP_" + option.upper().replace("-", "_")] = value
        clean[WAYS[option]] = value.replace(" ", ",") if option == "find-links" else value
    return clean


def run(command, package_line, total=0):
    """Run an installer, showing which package it is at; return (exit code, lines)."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        encoding="utf-8",
        errors="replace",
        cwd=str(ROOT),
        env=environment(),
    )
    lines = []
    seen = 0
    live = sys.stdout.isatty()
    for line in process.stdout:
        lines.append(line)
        name = package_line.match(line)
        if name:
            seen += 1
            count = "[{}/{}] ".format(seen, total) if total else ""
            if live:
                print("\r\033[K  {}{}".format(count, name.group(1)), end="")
            elif total and seen % 25 == 0:
                print("  " + count)
            sys.stdout.flush()
    if live and seen:
        print("\r\033[K", end="")
        sys.stdout.flush()
    return process.wait(), lines


def pip(arguments, total=0):
    """Install with the environment's pip, or raise an error that says what to do."""
    options = ["--disable-pip-version-check", "--no-input", "--retries=2", "--progress-bar=off"]
    command = [str(PYTHON), "-I", "-m", "pip", "install"]
    code, lines = run([*command, *options, *arguments], PIP_LINE, total)
    if code == 0:
        return
    output = "".join(lines)
    if looks_offline(output):
        raise SetupError(
            "パッケージを取得できませんでした。最初の一回だけはネットワークが必要です。\n"
            "接続を確かめてから、もう一度実行してください。\n"
            "プロキシの内側では HTTPS_PROXY を設定してください。\n"
            "pip の最後の行: " + lines[-1].strip()
        )
    raise SetupError(
        "pip がパッケージを組み込めませんでした。pip の出力の終わり:\n"
        + "".join("  " + line for line in lines[-15:]).rstrip()
    )


def uv(*arguments):
    """Tell whether uv is there and could do something; what it says where not is of no use to a reader."""
    try:
        return run([str(UV), *arguments], UV_LINE)[0] == 0
    except OSError:
        return False


def install(arguments, total=0):
    """Install with uv, or with pip where uv cannot."""
    if not uv("pip", "install", "--python", str(PYTHON), *arguments):
        print("  uv では入れられないので、pip で入れます (数分かかります)…")
        sys.stdout.flush()
        pip(arguments, total)


def create(python, version):
    """Make an empty environment, in the place of one that cannot be used."""
    if VENV.exists():
        print(".venv を作り直します。")
        shutil.rmtree(str(VENV))
    print("Python {} で仮想環境 .venv を作っています…".format(dotted(version)))
    sys.stdout.flush()
    VENV.mkdir()
    UNFINISHED.touch()
    made = subprocess.run(
        [python, "-m", "venv", str(VENV)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if made.returncode:
        raise SetupError("仮想環境を作れませんでした。{} -m venv の出力:\n".format(python) + made.stdout.strip())


def fill(names):
    """Install everything the named requirement files pin."""
    pins = [
        line
        for name in names
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if re.match(r"[\w.-]+==", line)
    ]
    print("パッケージを入れています…")
    sys.stdout.flush()
    with contextlib.suppress(SetupError):  # without it, pip does the same more slowly
        pip(["--require-hashes", "-r", INSTALLER])
    # The files name all that is needed, and of some packages only what the book needs of them.
    install(["--no-deps", "--require-hashes"] + [part for name in names for part in ("-r", name)], total=len(pins))


def is_usable(wanted=None):
    """Tell whether `.venv` is whole, and of the Python asked for, or of any new enough."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    answer = probe(str(PYTHON))
    if answer is None:
        return False
    return answer[0] == find_python(wanted)[1] if wanted else is_known(answer[0])


def make_ready(names):
    """Fill `.venv` with the named requirement files unless it already holds them."""
    wanted = {name: digest(ROOT / name) for name in [*names, "pyproject.toml"]}
    stamp = read_stamp()
    changed = [name for name in wanted if stamp.get(name) != wanted[name]]
    asked_for = os.environ.get("PYTHON")
    usable = is_usable(asked_for)
    if usable and not changed:
        return
    if not usable:
        python, version = find_python(asked_for)
        create(python, version)
        stamp, changed = {}, list(wanted)
    requirements = [name for name in names if name in changed]
    if requirements:
        UNFINISHED.touch()
        fill(requirements)
        UNFINISHED.unlink()
        stamp.update({name: wanted[name] for name in requirements})
        write_stamp(stamp)
    install(["--no-deps", "--no-build-isolation", "--editable", "."])
    write_stamp(dict(stamp, **wanted))
    print("仮想環境の準備ができました。")


@contextlib.contextmanager
def alone():
    """Let only one process at a time work on `.venv`."""
    with (ROOT / "requirements.txt").open() as handle:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main(names):
    """Make the environment ready; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # An old locale (LANG=C) must not turn a message into a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace", encoding="utf-8")
    try:
        with alone():
            make_ready(names)
    except SetupError as error:
        sys.stderr.write("\nエラー: {}\n".format(error))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\n中断しました。次に実行したときに続きから作り直します。\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
