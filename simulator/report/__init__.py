"""Results for people and for programs: text, JSON records and figures."""
