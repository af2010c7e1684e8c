"""A line of text typed on a page: a filter, a word to confirm."""


class Field:
    """What has been typed so far; printable characters only, at most `most` of them."""

    def __init__(self, text: str = "", most: int = 60) -> None:
        self.text = text
        self._most = most

    def press(self, key: str, character: str | None) -> bool:
        """Take a key that changes the text; False for any other."""
        if key == "backspace":
            self.text = self.text[:-1]
        elif key == "ctrl+u":
            self.text = ""
        elif character is not None and len(character) == 1 and character.isprintable():
            self.text = (self.text + character)[: self._most]
        else:
            return False
        return True
