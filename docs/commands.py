"""Make docs/commands.md and docs/commands.schema.json anew, with the program's own Python."""

from pathlib import Path

from console.answers.catalogue import schema_text
from console.answers.page import page

HERE = Path(__file__).parent

(HERE / "commands.md").write_text(page())
(HERE / "commands.schema.json").write_text(schema_text())
