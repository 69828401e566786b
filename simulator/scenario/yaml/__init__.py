"""The only reader of YAML: from text to a tree with positions, then to a scenario or all its issues."""
