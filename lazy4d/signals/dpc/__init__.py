"""From positions of the beam to what moved it: deflection, fields, colours and the phase of the specimen."""
