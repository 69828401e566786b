"""What a user can say, and the checks of it; how YAML is read."""
