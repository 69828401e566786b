"""The only reader of YAML: text to a tree with positions to a scenario, or every issue of it."""
