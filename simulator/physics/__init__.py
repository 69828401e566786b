"""Physics shared by all scenarios: constants, units and notation, special functions, the sign convention."""
