"""What holds in any scenario: constants, units and how they are written, special functions, the sign convention."""
