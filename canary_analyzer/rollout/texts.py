"""Text that others wrote, made safe to show anywhere."""

import unicodedata


def plain(text: str) -> str:
    """Return text without what could steer a terminal; tabs and line ends stay."""
    return "".join(each if each in "\n\t" or unicodedata.category(each)[0] != "C" else "\ufffd" for each in text)
