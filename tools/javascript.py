"""Join JavaScript modules into one scope and shorten what nobody reads: blanks, comments, local names.

Used by `tools/web.py`, with the standard library only.  This is no parser of JavaScript.  It knows
tokens and brackets, which is enough for the plain style of `web/*.mjs`, and refuses what it does
not know for certain, with the line.  That nothing changes its meaning is seen by the tests: they ask
the shortened script thousands of questions.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, product
from string import digits
from typing import NamedTuple

KEYWORDS = frozenset(
    "async await break case catch class const continue debugger default delete do else export extends false finally "
    "for function if import in instanceof let new null of return static super switch this throw true try typeof var "
    "void while yield undefined NaN Infinity arguments".split()
)
# What a browser gives.  A name that is neither declared nor listed here is an error.
GLOBALS = frozenset(
    "Array BigInt Boolean Error Event JSON Map Math Number Object Promise ResizeObserver Set String URL URLSearchParams "
    "WeakMap WeakSet addEventListener cancelAnimationFrame clearTimeout console decodeURIComponent document "
    "encodeURIComponent globalThis history location matchMedia navigator performance requestAnimationFrame setTimeout "
    "window".split()
)
# After these words comes an expression, so that a brace begins an object and a slash a regular expression.
BEFORE_EXPRESSION = frozenset(
    "await case const delete in instanceof let new of return throw typeof var void yield".split()
)
CLOSING = frozenset(")]}")

# The letters that code is full of anyway come first, which compresses best.
LOCAL_LETTERS = "etnaiosrlcdpmuhfbgyvkwxjqzTSCADMLFEPNRBI"
TOP_LETTERS = "GHJKOQUVWXYZ"

TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r\n]+)
    | (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<name>(?:[^\W\d]|\$)[\w$]*)
    | (?P<number>\d(?:[\w.]|(?<=[eE])[-+])*)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<mark>\.\.\.|=>|===|!==|\*\*=|\*\*|\?\?=|\?\?|\?\.(?!\d)|&&=|&&|\|\|=|\|\||\+\+|--|<<|>>>|>>
        |[-+*%&|^!=<>]=|[-+*%&|^!=<>~.,;:?(){}\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
TEXT = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{)", re.DOTALL)


class UnknownCodeError(Exception):
    """Something that cannot be shortened for certain.

    Attributes
    ----------
    position : int
        Where it stands in the module.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


class Token(NamedTuple):
    """A word of a module.

    Parameters
    ----------
    kind : str
        ``name``, ``number``, ``string``, ``mark``, ``regex`` or ``text``, which is a template or a
        part of one, from a backtick or brace to the next.
    text : str
        As it stands there.
    position : int
        Where it stands.
    on_new_line : bool
        Whether it is the first of its line.
    inside : str
        Innermost bracket around it: ``(``, ``[``, ``${``, ``object``, ``block``, ``class``, or nothing.
    partner : int
        For a closing bracket the index of the opening one, else -1.
    """

    kind: str
    text: str
    position: int
    on_new_line: bool
    inside: str
    partner: int = -1


def tokens_of(code: str) -> list[Token]:
    """Split a module into tokens, without blanks and comments."""
    tokens: list[Token] = []
    brackets: list[tuple[str, int]] = []
    position, on_new_line, case = 0, False, False
    while position < len(code):
        kind, text = _next(code, position, tokens, brackets)
        inside = brackets[-1][0] if brackets else ""
        if kind in ("blank", "comment"):
            on_new_line = on_new_line or "\n" in text
            position += len(text)
            continue
        partner = -1
        if text in CLOSING or (kind == "text" and text[0] == "}"):
            if not brackets or {"(": ")", "[": "]"}.get(brackets[-1][0], "}") != text[0]:
                raise UnknownCodeError(position, f"かっこ {text[0]} に、対になるものがありません")
            partner = brackets.pop()[1]
            inside = brackets[-1][0] if brackets else ""
        tokens.append(Token(kind, text, position, on_new_line, inside, partner))
        if text == "{":
            brackets.append((_sort_of_brace(tokens, after_case=case), len(tokens) - 1))
        elif text in ("(", "["):
            brackets.append((text, len(tokens) - 1))
        elif kind == "text" and text.endswith("${"):
            brackets.append(("${", len(tokens) - 1))
        # Up to the colon of `case x:`, so that a brace behind it is known for a block.
        case = (inside == "block" and text in ("case", "default")) or (case and tokens[-2].text != ":")
        on_new_line = False
        position += len(text)
    if brackets:
        raise UnknownCodeError(tokens[brackets[-1][1]].position, "かっこが閉じていません")
    return tokens


def _next(code: str, position: int, tokens: Sequence[Token], brackets: Sequence[tuple[str, int]]) -> tuple[str, str]:
    """Return kind and text of what stands at a position."""
    character = code[position]
    if character == "`" or (character == "}" and brackets and brackets[-1][0] == "${"):
        found = TEXT.match(code, position + 1)
        kind = "text"
    elif character == "/" and code[position + 1 : position + 2] not in ("/", "*"):
        if tokens and tokens[-1].text == "}" and tokens[-1].kind == "mark":
            raise UnknownCodeError(position, "} の後ろの / は、割り算か正規表現か分かりません")
        if not tokens or _before_expression(tokens[-1]):
            kind, found = "regex", REGEX.match(code, position)
        else:
            kind, found = "mark", re.compile(r"/=?").match(code, position)
    else:
        found = TOKEN.match(code, position)
        kind = (found.lastgroup if found else None) or ""
    if not found:
        raise UnknownCodeError(position, f"{character} から先が読めません")
    return kind, code[position : found.end()]


def _before_expression(token: Token) -> bool:
    """Tell whether an expression begins after a token, rather than goes on."""
    if token.kind == "name":
        return token.text in BEFORE_EXPRESSION
    if token.kind == "text":
        return token.text.endswith("${")
    return token.kind == "mark" and token.text not in (")", "]", "}", "++", "--")


def _sort_of_brace(tokens: Sequence[Token], *, after_case: bool) -> str:
    """Tell what the brace at the end begins."""
    before = tokens[-2] if len(tokens) > 1 else None
    head = tokens[-3].text if before and len(tokens) > 2 and before.kind == "name" else ""
    if head in ("class", "extends") or (before and before.text == "class"):
        return "class"
    if before is None or before.text in (")", "=>", ";", "}", "{") or (before.text == ":" and after_case):
        return "block"
    return "object" if _before_expression(before) else "block"


def _role(tokens: Sequence[Token], index: int) -> str:
    """Tell what a name is: ``word`` of the language, ``property``, ``shorthand`` for both, or ``variable``."""
    token = tokens[index]
    before = tokens[index - 1].text if index else ""
    after = tokens[index + 1].text if index + 1 < len(tokens) else ""
    if before in (".", "?."):
        return "property"
    if token.inside == "class":
        if after in ("=", ";", "}"):
            raise UnknownCodeError(token.position, "クラスのフィールドは使えません")
        return "property"
    if token.inside == "object" and before in ("{", ","):
        if after in (":", "("):
            return "property"
        if token.text not in KEYWORDS and after in (",", "}", "="):
            return "shorthand"
        raise UnknownCodeError(token.position, f"オブジェクトの中の {token.text} {after} は使えません")
    return "word" if token.text in KEYWORDS else "variable"


class Module(NamedTuple):
    """A module as tokens, with what its names are.

    Parameters
    ----------
    tokens : list of Token
        All of it, without imports and exports.
    roles : dict
        What each name is, by the index of its token.
    top : set of str
        Names that it declares for the whole module.
    declared : set of int
        Tokens that declare a name, for the whole module or not.
    """

    tokens: list[Token]
    roles: dict[int, str]
    top: set[str]
    declared: set[int]


def read(code: str) -> Module:
    """Read a module from which imports and the word `export` have been taken."""
    tokens = tokens_of(code)
    roles = {index: _role(tokens, index) for index, token in enumerate(tokens) if token.kind == "name"}
    return Module(tokens, roles, set(_top_level(tokens)), set(_declarations(tokens, roles)))


def _top_level(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the names that are declared outside all brackets."""
    declaring = False
    for index, token in enumerate(tokens):
        if token.inside:
            continue
        if token.kind == "name" and token.text in ("const", "let", "var", "function", "class"):
            following = tokens[_behind(tokens, index)]
            if following.kind != "name" or token.text == "var":
                reason = "モジュールの名前は const 名前 = …、let 名前、function、class で決めてください"
                raise UnknownCodeError(token.position, reason)
            yield following.text
            declaring = token.text in ("const", "let")
        elif token.text == ";":
            declaring = False
        elif declaring and token.text == ",":
            raise UnknownCodeError(token.position, "モジュールの名前は、const や let に一つずつ決めてください")


def _behind(tokens: Sequence[Token], index: int) -> int:
    """Return the index of what a declaring word declares: not the star of a generator."""
    return index + 2 if tokens[index + 1].text == "*" else index + 1


def _declarations(tokens: Sequence[Token], roles: Mapping[int, str]) -> Iterator[int]:
    """Yield the indices of names that are declared: by a word, in a pattern, as a parameter."""
    opening = {token.partner: index for index, token in enumerate(tokens) if token.partner >= 0}

    def names_between(first: int, last: int) -> Iterator[int]:
        return (index for index in range(first, last) if roles.get(index) in ("variable", "shorthand"))

    for index, token in enumerate(tokens):
        if token.kind == "name" and token.text in ("const", "let", "function", "class"):
            following = _behind(tokens, index)
            if following in opening:
                yield from names_between(following, opening[following])
            else:
                yield following
        if token.text == "=>" and token.kind == "mark":
            start = tokens[index - 1].partner
            yield from names_between(start, index) if start >= 0 else (index - 1,)
        # Parameters of a function, of a method, of `catch`: a group before the brace of a block.
        before = tokens[index - 1] if index else token
        if token.text == "{" and before.text == ")" and _has_parameters(tokens, before.partner):
            yield from names_between(before.partner, index)


def _has_parameters(tokens: Sequence[Token], opening: int) -> bool:
    """Tell whether a round bracket before a block holds parameters, not a condition."""
    word = tokens[opening - 1]
    if word.text == "catch":
        return True
    named = word.kind == "name" and word.text not in KEYWORDS
    by_function = any(token.text == "function" for token in tokens[max(0, opening - 3) : opening])
    return by_function or (named and word.inside in ("class", "object"))


def refuse_unknown(module: Module, imported: Iterable[str]) -> None:
    """Raise if a name is used that is neither declared nor imported nor known of every browser.

    It would otherwise be taken for a local one, and renamed.
    """
    everywhere = {*module.top, *imported, *GLOBALS}
    for statement in _statements(module.tokens):
        known = everywhere | {module.tokens[index].text for index in statement if index in module.declared}
        for token, _ in _variables(module, statement):
            if token.text not in known:
                reason = f"{token.text} という名前は、どこでも決められていません"
                hint = "（ブラウザにある名前なら、tools/javascript.py の GLOBALS に加えます）"
                raise UnknownCodeError(token.position, reason + hint)


def short_names(modules: Mapping[str, Module]) -> dict[str, dict[str, str]]:
    """Return a name for everything that is declared for a whole module, different in all modules."""
    uses = Counter((name, token.text) for name, module in modules.items() for token in module.tokens)
    places = [(name, word) for name, module in modules.items() for word in module.top]
    places.sort(key=lambda place: (-uses[place], place))
    short: dict[str, dict[str, str]] = {name: {} for name in modules}
    # A capital that is kept for them, or a letter and digits: no local name looks like that.
    fresh = chain(TOP_LETTERS, _names(LOCAL_LETTERS, digits, shortest=2))
    for (name, word), new in zip(places, fresh, strict=False):
        short[name][word] = new
    return short


def written(module: Module, outer: Mapping[str, str]) -> str:
    """Write a module in few characters.

    Parameters
    ----------
    module : Module
        From `read`.
    outer : mapping
        New names of what it declares for the whole module or imports.

    Returns
    -------
    str
        Code without blanks at its ends.
    """
    uses = Counter(token.text for token, role in _variables(module, range(len(module.tokens))))
    local = [word for word, _ in uses.most_common() if word not in outer and word not in GLOBALS]
    wishes = dict(zip(local, _names(LOCAL_LETTERS, LOCAL_LETTERS, shortest=1), strict=False))
    names: dict[int, str] = {}
    for statement in _statements(module.tokens):
        short = _local_names(module, statement, wishes)
        for index in statement:
            names[index] = outer.get(module.tokens[index].text) or short.get(module.tokens[index].text, "")
    return _joined(module, names)


def _statements(tokens: Sequence[Token]) -> Iterator[range]:
    """Yield the statements outside all brackets, which know nothing of each other's local names."""
    start = 0
    for index, token in enumerate(tokens):
        before = tokens[index - 1]
        outside = index and not token.inside and token.partner < 0
        if outside and before.kind == "mark" and before.text in (";", "}"):
            yield range(start, index)
            start = index
    yield range(start, len(tokens))


def _variables(module: Module, indices: Iterable[int]) -> Iterator[tuple[Token, str]]:
    for index in indices:
        role = module.roles.get(index, "")
        if role in ("variable", "shorthand"):
            yield module.tokens[index], role


def _local_names(module: Module, statement: range, wishes: Mapping[str, str]) -> dict[str, str]:
    """Return a short name for every local name of a statement.

    A name gets the same short one everywhere in it, and no two names get the same, so that whatever
    hides what keeps hiding it.  Each gets the one it wishes for, if that is short or nobody else's.
    """
    local = dict.fromkeys(token.text for token, _ in _variables(module, statement) if token.text in wishes)
    short = {word: wishes[word] for word in local if len(wishes[word]) == 1}
    free = (name for name in _names(LOCAL_LETTERS, LOCAL_LETTERS, shortest=1) if name not in short.values())
    for word in sorted(local.keys() - short.keys(), key=lambda word: (len(wishes[word]), wishes[word])):
        short[word] = next(free)
    return short


def _names(first: str, then: str, *, shortest: int) -> Iterator[str]:
    """Yield names, short ones first."""
    for length in range(shortest, 9):
        for letters in product(first, *[then] * (length - 1)):
            name = "".join(letters)
            if name not in KEYWORDS and name not in GLOBALS:
                yield name


def _joined(module: Module, names: Mapping[int, str]) -> str:
    """Join the tokens of a module, with other names and without what is not needed."""
    tokens = module.tokens
    needless = _needless(tokens)
    further = set(_further_constants(tokens))
    parts: list[str] = []
    last = 0
    for index, token in enumerate(tokens):
        if index in needless or index - 1 in further:
            continue
        text = "," if index in further else token.text
        role = module.roles.get(index)
        if role in ("variable", "shorthand"):
            new = names[index] or text
            text = new if role == "variable" or new == text else f"{text}:{new}"
        if parts:
            parts.append(_between(tokens[last], parts[-1], token, text))
        parts.append(text)
        last = index
    return "".join(parts)


def _needless(tokens: Sequence[Token]) -> set[int]:
    """Return the indices of marks that may go.

    A semicolon before a brace, a comma before a closing bracket, and the brackets around a single
    parameter.
    """
    found = set()
    for index, token in enumerate(tokens[:-1]):
        before, following = tokens[index - 1], tokens[index + 1]
        if token.kind != "mark":
            continue
        if token.text == ";" and following.text == "}" and not _may_be_empty_statement(tokens, index):
            found.add(index)
        elif token.text == "," and following.text in CLOSING and before.text not in (",", "["):
            found.add(index)
        elif token.text == "=>" and before.text == ")" and index - before.partner == 3:
            found |= {before.partner, index - 1} if tokens[index - 2].kind == "name" else set()
    return found


def _further_constants(tokens: Sequence[Token]) -> Iterator[int]:
    """Yield semicolons between two `const`, which a comma can stand for."""
    # For each open bracket whether the statement in it began with `const`.
    constant = [False]
    for index, token in enumerate(tokens):
        begins = index == 0 or (tokens[index - 1].kind == "mark" and tokens[index - 1].text in (";", "{", "}"))
        if token.partner >= 0:
            constant.pop()
        elif token.text == "const" and token.kind == "name":
            constant[-1] = constant[-1] or begins
        elif token.text == ";" and token.kind == "mark":
            following = tokens[index + 1] if index + 1 < len(tokens) else token
            if constant[-1] and following.text == "const" and following.kind == "name":
                yield index
            else:
                constant[-1] = False
        if (token.text in ("(", "[", "{") and token.kind == "mark") or (
            token.kind == "text" and token.text.endswith("${")
        ):
            constant.append(False)


def _may_be_empty_statement(tokens: Sequence[Token], index: int) -> bool:
    """Tell whether a semicolon may be all that a condition or a loop does."""
    before = tokens[index - 1]
    if before.text == ")":
        return tokens[before.partner - 1].text in ("if", "for", "while")
    return before.text in ("else", "do", ";", "{")


def _between(before: Token, last: str, token: Token, text: str) -> str:
    """Return what has to stand between two tokens: nothing, a blank or the line break that was there."""
    if token.on_new_line and not (_goes_on(before) or _continues(token)):
        return "\n"
    if re.fullmatch(r"[\w$]{2}", last[-1] + text[0]):
        return " "
    if before.kind == "number" and text[0] == ".":
        return " "
    return " " if last[-1] == text[0] and text[0] in "+-/" else ""


def _goes_on(token: Token) -> bool:
    """Tell whether a statement cannot end after a token."""
    return token.kind in ("mark", "text") and _before_expression(token)


def _continues(token: Token) -> bool:
    """Tell whether a statement cannot begin with a token."""
    return token.kind == "mark" and token.text not in ("{", "(", "[", "+", "-", "++", "--", "!", "~", "...")
