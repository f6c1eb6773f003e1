"""Every block of code in the documentation runs, every command line in it is one, every link leads somewhere."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.event_tables import PAGE, with_tables
from tests.github import commands_in
from tests.pages import ROOT, Desk, blocks, commands, help_of, pages
from tests.run_svg import PICTURE, picture
from tests.service.client import Service
from tests.service.steps import text
from tests.trace_pictures import TIMELINE, timeline_picture

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PAGES = [str(page.relative_to(ROOT)) for page in pages()]
JOBS = {
    block.place: block for page in pages() for block in blocks(page) if "--stdin" in block.code and not block.not_run
}
"""The jobs of the pages, by their place: commands that take the output of others."""


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page: str, service: Service, tmp_path: Path) -> None:
    desk = Desk(tmp_path, service)
    for block in blocks(ROOT / page):
        desk.run(block)


@pytest.mark.parametrize("shell", [["bash", "-e"], ["bash", "--noprofile", "--norc", "-eo", "pipefail"]])
@pytest.mark.parametrize("job", JOBS)
def test_a_job_fails_unless_it_has_its_input(job: str, shell: list[str], service: Service, tmp_path: Path) -> None:
    """In the shell of a step without and with `shell: bash`; a job that has no input calls no model."""
    desk, block = Desk(tmp_path, service), JOBS[job]
    for git in ("echo 'fatal: bad revision' >&2; exit 128", "exit 0"):
        done = desk.run_job(block, shell, git=git)
        assert (done.returncode != 0, _reviewed(service)) == (True, []), done.stderr
    done = desk.run_job(block, shell, git="echo '+color'")
    assert done.returncode == 0, done.stderr


def test_the_workflow_gives_what_the_model_wrote_to_its_next_step(service: Service, tmp_path: Path) -> None:
    (block,) = (block for block in JOBS.values() if "id: review" in block.code)
    answer = "$(touch pwned)\n::error::pwned\n```\n'\"`touch pwned`\nEOF\n${{ github.token }}"
    desk, hostile = Desk(tmp_path, service), replace(block, answers=[text(answer)])
    done = desk.run_job(hostile, git="echo '+color'")
    assert (done.returncode, "::error" in done.stdout + done.stderr) == (0, False)
    assert desk.outputs["review"].items() >= {"outcome": "completed", "exit_code": "0", "final_output": answer}.items()
    assert (desk.project / "gh.txt").read_text() == f"pr\ncomment\nchange\n--body\n{answer}\n"
    assert not (desk.project / "pwned").exists()
    done = desk.run_job(hostile, git="echo '+color'", secrets={})
    assert (done.returncode, _reviewed(service), desk.outputs["review"]["outcome"]) == (77, [], "unauthorized")
    assert commands_in(done.stderr)[0].name == "error"
    assert desk.summaries["review"].startswith("## agentctl run: unauthorized\n")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_and_options_of_a_page_are_there(page: str) -> None:
    for words in commands(ROOT / page):
        command: list[str] = []
        shown = help_of() or ""
        for word in words:
            if re.match(r"[a-z]", word) and re.search(rf"^  {re.escape(word)}(  |$)", shown, re.M):
                command.append(word)
                shown = help_of(*command) or ""
            elif re.match(r"[a-z]", word) and "Commands:" in shown:
                pytest.fail(f"there is no command `agentctl {' '.join(words)}`")
        known = shown + (help_of() or "")
        for word in words:
            option = re.match(r"(--[a-z][a-z-]*|-[a-zA-Z])(?![\w-])", word)
            assert option is None or re.search(rf"(?<![\w-]){option[1]}(?![\w-])", known), f"{words}: {option[1]}"


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    content = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", content):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            found = (ROOT / page).parent / path if path else ROOT / page
            assert found.exists(), target
            if anchor:
                assert anchor in _anchors(found.read_text(encoding="utf-8")), target


def test_the_picture_is_of_what_the_program_shows(service: Service, home: Path) -> None:
    kept = PICTURE.read_text("utf-8")
    assert _shown(kept) == _shown(picture(service, home)), "`python -m tests.run_svg` draws it again"
    assert "http" not in kept.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_tables_of_events_and_documents_are_those_of_the_schema() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_tables(page), "`python -m tests.event_tables` writes them again"


def test_the_timeline_in_the_documentation_is_what_the_program_shows(tmp_path: Path) -> None:
    kept = TIMELINE.read_text("utf-8")
    assert kept == timeline_picture(tmp_path), "`python -m tests.trace_pictures` draws it again"
    assert "http" not in kept.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_layers_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert "```text\n" + "\n".join(contracts[0]["layers"]) + "\n```" in ARCHITECTURE


def test_the_rooms_and_files_of_the_architecture_are_there() -> None:
    package = ROOT / "agentctl"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    table = ARCHITECTURE[ARCHITECTURE.index("## Rooms") : ARCHITECTURE.index("## Layers")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == rooms
    paths = {package / found for found in re.findall(rf"`((?:{'|'.join(rooms)})/\w+)`", table)}
    paths |= {ROOT / found for found in re.findall(r"`(agentctl/[\w/]+\.py)`", ARCHITECTURE)}
    assert [path for path in paths if not path.exists()] == []


def _reviewed(service: Service) -> list[str]:
    """Return the prompts with stdin that reached the model."""
    prompts = (request["body"]["input"][0]["content"] for request in service.requests())
    return [prompt for prompt in prompts if "<stdin>" in prompt]


def _shown(svg: str) -> list[str]:
    """Return the texts of a picture, without the time that the run took."""
    return [re.sub(r"[\d.]+&#160;s$", "", text) for text in re.findall(r">([^<>]+)</text>", svg) if text.strip()]


def _anchors(content: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", content, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
