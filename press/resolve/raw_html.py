"""What raw HTML points at, and what in it can be pointed at; the HTML itself is left as it is."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

LOADING = {"src", "srcset", "poster"}  # besides href and data, which depend on the element
LINKS = {"a", "area"}


@dataclass(frozen=True)
class Address:
    """An address in an attribute; `is_loaded` unless it waits for the reader to follow it."""

    attribute: str
    url: str
    is_loaded: bool


class RawHtml(HTMLParser):
    """The addresses, the labels (`id`) and the scripts in attributes (`onclick`) of some HTML, in their order."""

    def __init__(self, html: str):
        super().__init__()
        self.handlers: list[str] = []
        self.addresses: list[Address] = []
        self.labels: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            text = (value or "").strip()
            if name == "id" and text:
                self.labels.append(text)
            elif name.startswith("on"):
                self.handlers.append(name)
            elif name in LOADING or name == "href" or (tag, name) == ("object", "data"):
                urls = [part.split()[0] for part in text.split(", ")] if name == "srcset" and text else [text]
                self.addresses += [Address(name, url, not (name == "href" and tag in LINKS)) for url in urls]
