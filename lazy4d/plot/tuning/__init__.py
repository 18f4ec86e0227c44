"""Choosing the parameters of a method by eye: controls, what the method makes of a frame, pictures beside sliders."""
