"""How long a text is, as pages say it. Pure."""

from dataclasses import dataclass

CHARACTERS_A_TOKEN = 4  # rough, for English


@dataclass(frozen=True)
class Size:
    """Of one text; tokens are rough. Line ends count as one character, whatever a browser sent."""

    text: str

    @property
    def characters(self) -> int:
        return len(self.text.replace("\r\n", "\n"))

    @property
    def tokens(self) -> int:
        return -(-self.characters // CHARACTERS_A_TOKEN)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())
