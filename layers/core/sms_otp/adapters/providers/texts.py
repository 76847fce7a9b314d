"""Which of a deployment's texts a message is sent in, where the provider lets the text be chosen."""

from collections.abc import Iterator


def names(locale: str | None, purpose: str | None, *, joint: str = "-") -> Iterator[str]:
    """The names to look for, the best first: `pt-br/login`, `pt-br`, `pt/login`, `pt`, `/login`, ``.

    The language goes before the purpose: a text for any purpose that is understood is better than the right
    one that is not. `joint` is what a name has between language and region.
    """
    words = (locale or "").lower().split("-")
    for count in range(len(words), -1, -1):
        language = joint.join(words[:count])
        if purpose:
            yield f"{language}/{purpose}"
        yield language
