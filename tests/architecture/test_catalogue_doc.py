"""docs/catalogue.md is what scripts/catalogue_doc.py makes of the Catalogue and the schemas."""

import re
import subprocess
import sys
from pathlib import Path

from schemas import catalogue
from schemas.registry import list_schemas

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "catalogue.md").read_text("utf-8")


def test_the_page_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "catalogue_doc.py")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert run.stdout.decode("utf-8") == PAGE, "run python scripts/catalogue_doc.py > docs/catalogue.md"


def test_every_measure_and_record_type_is_on_the_page() -> None:
    assert all(f"\n| {row.number} | " in PAGE for row in catalogue.measures())
    assert all(f"\n### {name}\n" in PAGE for name, _ in list_schemas())


def test_every_link_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", PAGE))
    assert links
    assert links - anchors == set()
