"""A language model small enough to look into: it counts which character follows which.

Chapter 12 lets a large one check what a small one drafted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from hayasa.catalog.reader import data_directory


def story() -> str:
    """Return the text that the models learn from: Miyazawa Kenji's story of 1924, in the public domain.

    Examples
    --------
    >>> story()[1:8]
    '二人の若い紳士'
    """
    return (data_directory() / "story.txt").read_text(encoding="utf-8")


class Letters:
    """A model of a text that knows what followed each of the last characters, up to `order` of them.

    Where that many were never seen together it looks at fewer.

    Parameters
    ----------
    text : str
        What it learns from.
    order : int
        Number of characters that it looks back, from 1.

    Attributes
    ----------
    passes : int
        How often it was asked: once for a character, once for all characters of a draft.
    entries : int
        Size of its table.

    Examples
    --------
    >>> model = Letters("がたがたがたん", order=2)
    >>> model.probabilities("がた")
    {'が': 0.6666666666666666, 'ん': 0.3333333333333333}
    >>> model.answer("がた"), model.answers("がた", "がた"), model.passes
    ('が', ['が', 'た', 'が'], 2)
    """

    def __init__(self, text: str, order: int):
        self.order = order
        self.passes = 0
        self._followers: dict[str, Counter[str]] = defaultdict(Counter)
        for at, character in enumerate(text):
            for length in range(min(order, at) + 1):
                self._followers[text[at - length : at]][character] += 1

    @property
    def entries(self) -> int:
        """Number of counts in its table."""
        return sum(len(followers) for followers in self._followers.values())

    def probabilities(self, text: str) -> dict[str, float]:
        """Return how likely each character is to come next."""
        known = next(end for end in self._ends(text) if end in self._followers)
        followers = self._followers[known]
        return {character: count / followers.total() for character, count in followers.items()}

    def _ends(self, text: str) -> Iterator[str]:
        for length in range(min(self.order, len(text)), -1, -1):
            yield text[len(text) - length :]

    def answer(self, text: str) -> str:
        """Return the most likely next character: one pass."""
        return self.answers(text, "")[0]

    def answers(self, text: str, draft: str) -> list[str]:
        """Return what it would write after `text` and after each character of a draft: still one pass."""
        self.passes += 1
        return [_best(self.probabilities(text + draft[:length])) for length in range(len(draft) + 1)]


def _best(probabilities: dict[str, float]) -> str:
    return max(probabilities, key=probabilities.__getitem__)
