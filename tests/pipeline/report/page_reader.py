"""What a test looks for in a page: elements with their attributes and text, and whether tags close in order."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "img", "br"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    inside: tuple[str, ...]
    """The tags around it, outermost first."""
    text: str = field(default="")

    def has(self, name: str) -> bool:
        return name in (self.attributes.get("class") or "").split()


class Page(HTMLParser):
    """A parsed page. Raises ValueError where a tag closes that is not the one open."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        if self._open:
            raise ValueError(f"never closed: {[element.tag for element in self._open]}")

    @classmethod
    def of(cls, url: str) -> "Page":
        return cls(Path(url).read_text(encoding="utf-8"))

    def all(self, tag: str, having: str | None = None) -> list[Element]:
        return [e for e in self.elements if e.tag == tag and (having is None or e.has(having))]

    def one(self, tag: str, having: str | None = None) -> Element:
        (element,) = self.all(tag, having)
        return element

    def facts(self) -> dict[str, str]:
        """Terms and values of all definition lists; of equal terms the first."""
        lists = [e for e in self.elements if e.tag in ("dt", "dd")]
        pairs: dict[str, str] = {}
        for term, value in zip(lists[::2], lists[1::2], strict=True):
            pairs.setdefault(" ".join(term.text.split()), " ".join(value.text.split()))
        return pairs

    def faces(self) -> list[tuple[int, str]]:
        """(index, data URI) of every picture, in order."""
        described = [(image.attributes["alt"] or "", image.attributes["src"] or "") for image in self.all("img")]
        return [(int(alt.removeprefix("Face ").split(":")[0]), source) for alt, source in described]

    @property
    def text(self) -> str:
        """What a person reads."""
        return " ".join(next(e for e in self.elements if e.tag == "body").text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), tuple(e.tag for e in self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), tuple(e.tag for e in self._open)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            raise ValueError(f"</{tag}> closes {[e.tag for e in self._open]} at {self.getpos()}")
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1].tag in ("style", "script"):
            self._open[-1].text += data
        else:
            for element in self._open:
                element.text += data
