"""The mechanism library, one transport law per file; the name of the file is the `law:` of a scenario."""
