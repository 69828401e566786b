"""A scenario as equations and numbers; without compiled code or disk access."""
