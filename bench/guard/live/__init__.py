"""A and B measured now, in turn, and the gate that rests on that."""
