"""The page of statistics shows what the benchmark measures."""

import re
from pathlib import Path

from benchmarks.statistics import BEGIN, END, checks_table, designs
from benchmarks.statistics_claims import WORLDS

PAGE = Path("docs/statistics.md")


def test_the_page_has_every_line_that_the_benchmark_makes() -> None:
    """A setting that is dropped from the page because it looks bad, or one that nobody measured."""
    text = PAGE.read_text(encoding="utf-8")
    measured = text[text.index(BEGIN) : text.index(END)]
    shown = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| \*\*", measured, re.MULTILINE)
    assert shown == [(of.name, str(seeds), str(items)) for of, seeds, items in designs()]
    for line in checks_table(16)[2:]:
        assert line.rpartition(" | ")[0] in measured
    for world in WORLDS:
        assert f"| {world.name} | {world.seeds} |" in measured


def test_the_page_names_modules_that_exist() -> None:
    for name in set(re.findall(r"`stats\.(\w+)", PAGE.read_text(encoding="utf-8"))):
        assert Path(f"src/midspec/stats/{name}.py").is_file(), name
