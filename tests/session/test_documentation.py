"""The reference of the measurements is what their declarations say."""

from pathlib import Path

from micro_nb.session.measures.documentation import reference

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_reference_is_up_to_date():
    written = (DOCS / "measurements.md").read_text(encoding="utf8")
    assert written == reference(), "run: python -m micro_nb.session.measures.documentation > docs/measurements.md"
