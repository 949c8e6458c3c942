"""Names: the immutable values every other room speaks in. No input, no output, no clock."""
