"""The examples of the documentation."""

import re

from harness.server import TESTS


def blocks(page: str, language: str) -> list[str]:
    """What stands between the fences of this language, in a file of docs/."""
    text = (TESTS.parent / "docs" / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
