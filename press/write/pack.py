"""The PDF that Typst wrote, in fewer bytes: the same marks at the same places, said shorter.

Typst gives every piece of a line (a word of code, a letter of a formula) a state of graphics, a colour, a font and
a place of its own, and a mark by which the tree of what is what finds it: two thirds of the file. Here pieces that
follow one another share what they have in common, and a number has five digits. What is not written in just that
way stays as it is. Nothing of the day or the machine goes in.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

Instruction = tuple[list[Any], str]  # the operands and the operator
Marks = dict[int, int]  # the new number of each mark of a page

# A piece of text: its place, colour and font, and what it shows. The turns of `cm` and `Tm` undo each other.
PIECE = ["q", "cm", "cs", "scn", "BT", "Tr", "Tf", "Tm", "TJ", "ET", "Q"]
TURNED = [1, 0, 0, -1]
BARE = {"q", "Q", "BT", "ET", "EMC", "h", "S", "f"}  # have no operands; not to ask for them saves a third of the time


def packed(pdf: bytes) -> bytes:
    """The same in fewer bytes; as it is where the package that does it is missing."""
    if find_spec("pikepdf") is None:
        return pdf
    import pikepdf  # not needed for the site

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        owners = document.Root.StructTreeRoot.ParentTree.Nums  # the key of a page, what its marks belong to, and so on
        keys: dict[Any, int] = {owners[at]: at + 1 for at in range(0, len(owners), 2)}
        marks: dict[Any, Marks] = {}
        for page in document.pages:
            at = keys.get(page.obj.get("/StructParents", -1))
            of_page = [] if at is None else list(owners[at])
            told = list(map(_read, pikepdf.parse_content_stream(page)))
            told, marks[page.obj.objgen] = share_marks(told, [owner.objgen for owner in of_page])
            page.obj.Contents.write(b"\n".join(map(_said, share_state(told))))
            if at is not None:
                renamed = {new: of_page[old] for old, new in marks[page.obj.objgen].items()}
                owners[at] = pikepdf.Array([renamed[new] for new in sorted(renamed)])
        for element in document.objects:
            if isinstance(element, pikepdf.Dictionary) and element.get("/Type") == "/StructElem" and "/K" in element:
                element.K = pikepdf.Array(_renamed(element, marks))
        document.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    return out.getvalue()


def _read(item: Any) -> Instruction:
    operator = str(item.operator)
    return [] if operator in BARE else list(item.operands), operator


def share_marks(told: list[Instruction], owners: list[Any]) -> tuple[list[Instruction], Marks]:
    """Let marks that follow one another and have one owner be one."""
    kept: list[Instruction] = []
    marks: Marks = {}
    open_marks: list[tuple[Any, Any]] = []  # the number of each, and what else is said of it: its language
    closed: Any = None  # the mark that ended just before
    count = 0
    for operands, operator in told:
        before, closed = closed, None
        if operator in ("BDC", "BMC"):
            mark = int(operands[1].MCID) if operator == "BDC" and "/MCID" in operands[1] else None
            more = [] if mark is None else [operands[0], *(item for item in operands[1].items() if item[0] != "/MCID")]
            open_marks.append((mark, more))
            if mark is not None:
                if before is not None and (owners[before[0]], before[1]) == (owners[mark], more):
                    kept.pop()
                    marks[mark] = marks[before[0]]
                    continue
                marks[mark] = operands[1].MCID = count
                count += 1
        elif operator == "EMC":
            closed = open_marks.pop()
            closed = None if closed[0] is None else closed
        kept.append((operands, operator))
    return kept, marks


def _renamed(element: Any, marks: dict[Any, Marks]) -> Iterator[Any]:
    """What belongs to an element of the tree, by the new numbers of its marks."""
    import pikepdf

    last = None
    for kid in element.K if isinstance(element.K, pikepdf.Array) else [element.K]:
        own = kid if isinstance(kid, pikepdf.Dictionary) and "/MCID" in kid else None  # a mark that names its page
        if own is None and not isinstance(kid, int):
            last = None
            yield kid
            continue
        page = (element if own is None else own).get("/Pg", element.get("/Pg")).objgen
        new = marks[page][int(kid if own is None else own.MCID)]
        if (page, new) != last:
            if own is not None:
                own.MCID = new
            yield new if own is None else own
        last = (page, new)


def share_state(told: list[Instruction]) -> Iterator[Instruction]:
    """Let pieces of text that follow one another share the state of graphics, the colour and the font."""
    at = 0
    while at < len(told):
        pieces = []
        while _is_piece(told[at : at + len(PIECE)]):
            pieces.append({operator: operands for operands, operator in told[at : at + len(PIECE)]})
            at += len(PIECE)
        if pieces:
            yield from _line(pieces)
        else:
            yield told[at]
            at += 1


def _is_piece(told: list[Instruction]) -> bool:
    if [operator.replace("Tj", "TJ") for _, operator in told] != PIECE:
        return False
    (_, (cm, _), *_, (tm, _), _, _, _) = told
    return cm[:4] == TURNED and tm == [*TURNED, 0, 0]


def _line(pieces: list[dict[str, list[Any]]]) -> Iterator[Instruction]:
    """Pieces in one text, each put by its distance from the one before."""
    before: dict[str, Any] = {"place": (0, 0)}
    yield from (([], "q"), ([], "BT"))
    for piece in pieces:
        for operators in (("Tr",), ("cs", "scn"), ("Tf",)):
            state = [piece[operator] for operator in operators]
            if before.get(operators[0]) != state:
                yield from zip(state, operators, strict=True)
                before[operators[0]] = state
        place = [round(number, 2) for number in piece["cm"][4:]]
        yield [new - old for new, old in zip(place, before["place"], strict=True)], "Td"
        before["place"] = place
        yield from ((operands, operator) for operator, operands in piece.items() if operator in ("TJ", "Tj"))
    yield from (([], "ET"), ([], "Q"))


def _said(instruction: Instruction) -> bytes:
    operands, operator = instruction
    return b" ".join([*map(_operand, operands), operator.encode()])


def _operand(operand: Any) -> bytes:
    """As it stands in a page; a number in five digits, never with an exponent, which a PDF does not know."""
    if isinstance(operand, Decimal):
        number = float(operand)
        return (f"{number:.5g}" if not number or 1e-4 <= abs(number) < 1e5 else f"{number:f}").encode()
    if isinstance(operand, int):
        return b"%d" % operand
    import pikepdf

    if isinstance(operand, pikepdf.Array):
        return b"[%s]" % b" ".join(map(_operand, operand))
    return bytes(operand.unparse())
