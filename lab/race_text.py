"""Cut a text into the tokens of a model: ``python -m lab.race_text tokenizer.json < text > data/race_tokens.txt``.

Needs the package ``tokenizers``, which nothing else here does.
"""

import sys


def main() -> None:
    """Write one token a line."""
    from tokenizers import Tokenizer  # type: ignore[import-not-found]

    text = sys.stdin.read().strip()
    cut = Tokenizer.from_file(sys.argv[1]).encode(text, add_special_tokens=False)
    print("\n".join(text[start:end] for start, end in cut.offsets))


if __name__ == "__main__":
    main()
