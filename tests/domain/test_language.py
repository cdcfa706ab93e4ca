"""The words that $language-check finds: where they stand, and where they do not."""
import pytest

from recovery_api.domain.language import hurting, wordlist

PLACE = "text"


@pytest.mark.parametrize("around", ["{}", "She said: {}.", "({}),", "A\n{}\nB"])
def test_every_phrase_is_found_where_it_stands_in_any_case(around: str) -> None:
    for words, phrase in wordlist().phrases.items():
        for said in (words, words.upper(), words.capitalize()):
            text = around.format(said)
            [issue] = hurting(text, PLACE)
            assert issue.expression == f"text.substring({text.index(said)}, {len(said)})"
            assert (issue.severity, issue.code) == ("warning", "business-rule")
            assert phrase.instead in issue.diagnostics
            assert phrase.source in issue.diagnostics


OTHERS = ("", "Ana chose to walk.", "The addictive game", "alcoholics-anonymous", "A clean kitchen", "She is clear", "unrefused")


@pytest.mark.parametrize("text", OTHERS)
def test_other_words_are_left_alone(text: str) -> None:
    assert hurting(text, PLACE) == []


def test_a_longer_phrase_goes_before_a_shorter_one_and_spaces_do_not_hide_it() -> None:
    [longer] = hurting("a recovering addict", PLACE)
    assert longer.expression == "text.substring(2, 17)"
    spread = hurting("drug \n abuse, drug abuse", PLACE)
    assert [issue.expression for issue in spread] == ["text.substring(0, 12)", "text.substring(14, 10)"]


def test_what_is_advised_hurts_nobody() -> None:
    for phrase in wordlist().phrases.values():
        assert hurting(phrase.instead, PLACE) == []


def test_much_text_is_no_trouble() -> None:
    assert len(hurting("refused " * 100_000, PLACE)) == 100_000
