"""A scenario as equations and as numbers; no compiled code and no disk."""
