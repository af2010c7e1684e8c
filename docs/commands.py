"""Make docs/commands.schema.json anew from the program: run it from anywhere, with the program's own Python."""

from pathlib import Path

from console.answers.catalogue import schema_text

HERE = Path(__file__).parent

(HERE / "commands.schema.json").write_text(schema_text())
