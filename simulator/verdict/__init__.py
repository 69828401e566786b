"""Find rest points and judge which kind of rest a run has reached."""
