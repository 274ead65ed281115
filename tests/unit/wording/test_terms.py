"""A term of the field is called the same in English wherever it stands."""

from babel.messages.pofile import read_po

from gateway.portal.catalogues import catalogue_files
from gateway.wording.catalogues import OWN

TERMS = OWN / "en" / "terms.po"


def terms() -> dict[str, str]:
    with TERMS.open("rb") as file:
        return {str(each.id): str(each.string) for each in read_po(file, locale="en") if each.id}


def stem(english: str) -> str:
    """What the singular and the plural share, in small letters."""
    plain = english.lower().strip("“”").removesuffix("s")
    return plain.removesuffix("y")


def departures(said: dict[str, str]) -> list[tuple[str, str, str]]:
    """Sentences that hold a term and call it something else; the longest term at a place counts."""
    known = terms()
    found = []
    for chinese, english in said.items():
        rest = chinese
        for term in sorted(known, key=len, reverse=True):
            if term in rest:
                rest = rest.replace(term, "\0")
                if stem(known[term]) not in english.lower():
                    found.append((term, chinese, english))
    return found


def test_every_sentence_calls_a_term_the_same() -> None:
    said: dict[str, str] = {}
    for path in catalogue_files():
        with path.open("rb") as file:
            said |= {str(each.id): str(each.string) for each in read_po(file, locale="en") if each.id}
    assert len(terms()) > 20
    assert len(said) > 1_000
    assert not departures(said)


def test_a_term_translated_two_ways_is_found() -> None:
    assert departures({"“供电方案”尚未答复": "The power scheme is not there yet"})
    assert not departures({"“供电方案”尚未答复": "The supply plan is not there yet"})
    assert departures({"请向供电企业提出": "Ask the electricity company"})
