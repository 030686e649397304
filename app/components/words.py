"""Words that the API gives in one or both languages."""

from app.i18n import language


def words(value: object) -> str:
    """The text in this run's language: of a string, of `{en, zh}`, or of an error's detail."""
    if value is None:
        return ""
    if isinstance(value, dict):
        for name in (language(), "en", "detail", "text"):
            if value.get(name):
                return str(value[name])
    return str(value)
