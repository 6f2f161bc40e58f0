"""Words: entities found by the server, HTML and MarkdownV2, in UTF-16 units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.entities import command_of, found_in, utf16
from sandbox.errors import Refused
from sandbox.formatting import formatted, from_html, from_markdown


def units(text: str, entity: dict[str, int]) -> str:
    """Cut an entity out of a text as a client would, counting UTF-16 units."""
    coded = text.encode("utf-16-le")
    return coded[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_commands_are_found_wherever_they_stand(before: str) -> None:
    """A command after any words has the offset and length of its UTF-16 units."""
    text = f"{before} /idphoto@darkroom_bot 300x400"
    found = [entity for entity in found_in(text) if entity["offset"] == utf16(f"{before} ")]
    assert [units(text, entity) for entity in found] == ["/idphoto@darkroom_bot"]
    assert utf16(text) == len(text.encode("utf-16-le")) // 2


def test_the_other_entities() -> None:
    """Mentions, hashtags and links are found; addresses and numbers in words are not."""
    text = "see @ann_b #photo https://example.org/a?b=/c a@ann_b #1 x/y"
    assert [(entity["type"], units(text, entity)) for entity in found_in(text)] == [
        ("mention", "@ann_b"),
        ("hashtag", "#photo"),
        ("url", "https://example.org/a?b=/c"),
    ]


def test_only_a_leading_command_commands() -> None:
    """command_of() looks at the start alone."""
    assert command_of("/a@b_bot c") == ("a", "b_bot")
    assert command_of("/a") == ("a", None)
    assert command_of("say /a") is None
    assert command_of("//a") is None


@pytest.mark.parametrize(
    ("source", "text", "kinds"),
    [
        ("<b>a</b>", "a", ["bold"]),
        ("😀<i>a <u>b</u></i> &lt;", "😀a b <", ["underline", "italic"]),
        ('<a href="https://e.org/?a=1&amp;b">x</a>', "x", ["text_link"]),
        ('<span class="tg-spoiler">x</span><s>y</s>', "xy", ["spoiler", "strikethrough"]),
        ("<blockquote expandable>x</blockquote>", "x", ["expandable_blockquote"]),
        ('<tg-emoji emoji-id="5">👍</tg-emoji><b></b>', "👍", ["custom_emoji"]),
        ("<pre><code class='language-python'>x</code></pre>", "x", ["code", "pre"]),
    ],
)
def test_html(source: str, text: str, kinds: list[str]) -> None:
    """Telegram's tags become entities."""
    assert from_html(source)[0] == text
    assert [entity["type"] for entity in from_html(source)[1]] == kinds


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a</b>", "Unmatched end tag at byte offset 1"),
        ("<b><i>a</b></i>", "Unmatched end tag"),
        ("é<p>a</p>", 'Unsupported start tag "p" at byte offset 2'),
        ("1 < 2", "Unclosed start tag at byte offset 2"),
    ],
)
def test_broken_html(source: str, words: str) -> None:
    """What Telegram cannot read is refused with the reason."""
    with pytest.raises(Refused) as refused:
        from_html(source)
    assert words in refused.value.description


@pytest.mark.parametrize(
    ("source", "text", "kinds"),
    [
        ("*a* _b_ __c__ ~d~ ||e||", "a b c d e", ["bold", "italic", "underline", "strikethrough", "spoiler"]),
        ("*a _b_*", "a b", ["italic", "bold"]),
        (r"1\.5 \[x\]", "1.5 [x]", []),
        ("[x](https://e.org)", "x", ["text_link"]),
        ("`a.b` ```python\nx = 1```", "a.b x = 1", ["code", "pre"]),
    ],
)
def test_markdown(source: str, text: str, kinds: list[str]) -> None:
    """MarkdownV2's marks become entities."""
    assert from_markdown(source)[0] == text
    assert [entity["type"] for entity in from_markdown(source)[1]] == kinds


@pytest.mark.parametrize(
    ("source", "words"),
    [("1.5", "Character '.' is reserved"), ("*a", "Can't find end of bold entity"), ("](x)", "is reserved")],
)
def test_broken_markdown(source: str, words: str) -> None:
    """A reserved character wants a backslash, a mark its end."""
    with pytest.raises(Refused) as refused:
        from_markdown(source)
    assert words in refused.value.description


def test_words_are_trimmed_and_entities_move_with_them() -> None:
    """Given and found entities stand side by side, relative to the trimmed text; odd modes are refused."""
    text, entities = formatted("  ab /go  ", None, [{"type": "bold", "offset": 2, "length": 2}])
    assert text == "ab /go"
    assert [(entity["type"], entity["offset"]) for entity in entities] == [("bold", 0), ("bot_command", 3)]
    assert formatted(r"*a*\!", "MarkdownV2", None)[0] == "a!"
    with pytest.raises(Refused, match="unsupported parse_mode"):
        formatted("a", "Word", None)
