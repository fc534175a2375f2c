"""The workflows: the reader's two commands on every known Python, no more rights than needed, actions that cannot change."""

import re

import pytest
import yaml

from tools import pins

PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)+$")
# What each right is for: only what publishes may publish.
RIGHTS = {
    ("publish.yml", "deploy"): {"pages": "write", "id-token": "write"},
    ("publish.yml", "notebooks"): {"actions": "read", "contents": "write"},
}
READ = {"contents": "read"}


def complaints(name: str, text: str) -> list[str]:
    """Return which rights are too many and which actions may change under their name."""
    workflow = yaml.safe_load(text)
    found = [f"{name}: {line.strip()}" for line in text.splitlines() if "uses:" in line and not PINNED.search(line)]
    if workflow.get("permissions") != READ:
        found.append(f"{name}: permissions")
    for job, content in workflow["jobs"].items():
        if content.get("permissions", {}) != RIGHTS.get((name, job), {}):
            found.append(f"{name}: {job}: permissions")
        checkouts = [step for step in content["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        if any(step.get("with", {}).get("persist-credentials") is not False for step in checkouts):
            found.append(f"{name}: {job}: persist-credentials")
    return found


def workflows(root):
    return {path.name: path.read_text(encoding="utf-8") for path in (root / ".github" / "workflows").glob("*.yml")}


def test_workflows_have_few_rights_and_pinned_actions(root):
    assert workflows(root).keys() == {"publish.yml", "test.yml"}
    assert [complaint for name, text in workflows(root).items() for complaint in complaints(name, text)] == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (r"@[0-9a-f]{40} # v\d.*", "@v5", "uses: "),
        (r" # v\d.*", "", "uses: "),
        (r"^permissions:\n  contents: read", "permissions: write-all", "publish.yml: permissions"),
        (r"^permissions:\n  contents: read\n", "", "publish.yml: permissions"),
        (r"^  build:\n", "  build:\n    permissions: {pages: write}\n", "build: permissions"),
        (r"^      pages: write", "      contents: write", "deploy: permissions"),
        (r"persist-credentials: false", "fetch-depth: 1", "persist-credentials"),
    ],
)
def test_a_workflow_that_may_too_much_is_found(root, old, new, complaint):
    text, changed = re.subn(old, new, workflows(root)["publish.yml"], flags=re.MULTILINE)
    assert changed and all(complaint in found for found in complaints("publish.yml", text))
    assert complaints("publish.yml", text)


def test_workflows_run_the_two_commands_on_every_python(root):
    jobs = [job for text in workflows(root).values() for job in yaml.safe_load(text)["jobs"].values()]
    commands = {step.get("run", "").partition(" ENGINE")[0] for job in jobs for step in job["steps"]}
    assert {"make book", "make test"} <= commands
    (matrix,) = [job["strategy"]["matrix"] for job in jobs if "strategy" in job]
    assert matrix["python"] == pins.PYTHONS
